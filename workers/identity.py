"""Who a worker process is: a name that stays over restarts, and an instance that is new at every start."""

import hashlib
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

#: what the supervisor gives to its processes
NAME, INSTANCE = "BULKFAX_WORKER_NAME", "BULKFAX_WORKER_INSTANCE"
#: most worker services of one host
_SERVICES = 256


@dataclass(frozen=True, slots=True)
class Identity:
    name: str
    instance: str


def new_instance() -> str:
    return secrets.token_hex(8)


def own_identity(environment: Mapping[str, str] = os.environ) -> Identity:
    """The identity of this process. One that nobody supervises is named by its process id."""
    return Identity(
        name=environment.get(NAME) or f"{host()}/{os.getpid()}",
        instance=environment.get(INSTANCE) or new_instance(),
    )


def host() -> str:
    """The name of this host. Machines and containers that have the same name are told apart."""
    kernel = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/mnt")
    facts = ""
    with suppress(OSError):
        facts = f"{kernel[0].read_text()}{kernel[1].stat().st_ino}"
    return f"{socket.gethostname()}-{hashlib.sha256(facts.encode()).hexdigest()[:6]}"


@contextmanager
def service_names(installation: str, processes: int, folder: Path | None = None) -> Iterator[list[str]]:
    """Names of this service's processes: ``<host>/<service>/<slot>``.

    Services of one ``installation`` on a host are numbered. A service that is started again has its number again,
    because the lock on it is free as soon as its process is gone.
    """
    service, lock = _lock_number(installation, folder or Path(tempfile.gettempdir()))
    try:
        yield [f"{host()}/{service}/{slot}" for slot in range(processes)]
    finally:
        if lock is not None:
            os.close(lock)


def _lock_number(installation: str, folder: Path) -> tuple[str, int | None]:
    """A number that no other service has, and the lock that keeps it. Without locks the process id has to do."""
    mark = hashlib.sha256(installation.encode()).hexdigest()[:12]
    for number in range(_SERVICES):
        try:
            lock = _lock(folder / f"bulkfax-worker-{os.getuid()}-{mark}-{number}")
        except (OSError, ImportError):
            break
        if lock is not None:
            return str(number), lock
    return f"pid{os.getpid()}", None


def _lock(path: Path) -> int | None:
    """A lock that ends with this process; None when another one has it."""
    import fcntl  # not on every system

    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    except BaseException:
        os.close(file)
        raise
    return file
