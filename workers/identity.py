"""The identity of a worker process: a name that survives restarts, and an instance ID that is new at every start."""

import hashlib
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

#: environment variables that the supervisor sets for its processes
NAME_VARIABLE, INSTANCE_VARIABLE = "BULKFAX_WORKER_NAME", "BULKFAX_WORKER_INSTANCE"
#: maximum number of worker services on a host
_MAX_SERVICES = 256


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of a worker process."""

    name: str
    instance: str


def new_instance() -> str:
    """Generate an instance ID."""
    return secrets.token_hex(8)


def own_identity(environment: Mapping[str, str] = os.environ) -> Identity:
    """Return the identity of this process.

    Without a supervisor, its name contains the process ID.
    """
    return Identity(
        name=environment.get(NAME_VARIABLE) or f"{host()}/{os.getpid()}",
        instance=environment.get(INSTANCE_VARIABLE) or new_instance(),
    )


def host() -> str:
    """Return the name of this host, with a suffix that distinguishes machines and containers of the same name."""
    boot_id, mount_namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/mnt")
    machine = ""
    with suppress(OSError):
        machine = f"{boot_id.read_text()}{mount_namespace.stat().st_ino}"
    return f"{socket.gethostname()}-{hashlib.sha256(machine.encode()).hexdigest()[:6]}"


@contextmanager
def service_names(installation: str, processes: int, folder: Path | None = None) -> Iterator[list[str]]:
    """Reserve a service number and yield the names of the service's processes: ``<host>/<service>/<slot>``.

    The services of an ``installation`` (the address of its Redis) on a host are numbered. The lock on a number is
    released when its process ends, so a restarted service gets the same number.
    """
    service, lock = _lock_number(installation, folder or Path(tempfile.gettempdir()))
    try:
        yield [f"{host()}/{service}/{slot}" for slot in range(processes)]
    finally:
        if lock is not None:
            os.close(lock)


def _lock_number(installation: str, folder: Path) -> tuple[str, int | None]:
    """Lock a number that no other service uses.

    If locks do not work, return the process ID instead.
    """
    address = installation.rpartition("@")[2]  # without the password: others can read the names of these files
    installation_hash = hashlib.sha256(address.encode()).hexdigest()[:12]
    for number in range(_MAX_SERVICES):
        try:
            lock = _lock(folder / f"bulkfax-worker-{os.getuid()}-{installation_hash}-{number}")
        except (OSError, ImportError):
            break
        if lock is not None:
            return str(number), lock
    return f"pid{os.getpid()}", None


def _lock(path: Path) -> int | None:
    """Take a lock that is released when this process ends; None if another process holds it."""
    import fcntl  # not available on every system

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
