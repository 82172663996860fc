"""CPU time and memory of process groups and processes, read from Linux's ``/proc``."""

import os
from collections.abc import Iterator
from pathlib import Path

from benchmarks.errors import BenchFailed

_TICKS = os.sysconf("SC_CLK_TCK")
_MB = 1024
#: fields of ``/proc/<pid>/stat`` after the command: process group; user and system time, own and with reaped children
_GROUP, _TIMES, _OWN_TIMES = 2, slice(11, 15), slice(11, 13)


def cpu_s(group: int) -> float:
    """Return the CPU seconds that a process group has used, including children that have ended.

    Raises:
        BenchFailed: The machine has no ``/proc``.
    """
    return sum(sum(map(int, fields[_TIMES])) for _, fields in _members(group)) / _TICKS


def own_cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used itself, without its children; 0 if it has ended."""
    return sum(map(int, _stat(Path(f"/proc/{pid}"))[_OWN_TIMES])) / _TICKS


def children(pid: int) -> list[int]:
    """Return the ids of the child processes that have not been reaped."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def resident_mb(group: int) -> float:
    """Return the resident memory of a process group in MB of 1024 kB.

    Raises:
        BenchFailed: The machine has no ``/proc``.
    """
    return sum(_resident_kb(pid) for pid, _ in _members(group)) / _MB


def _members(group: int) -> Iterator[tuple[int, list[str]]]:
    if not Path("/proc/self/stat").exists():
        raise BenchFailed("CPU time is read from /proc, which only Linux has")
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            fields = _stat(folder)
            if fields and int(fields[_GROUP]) == group:
                yield int(folder.name), fields


def _stat(folder: Path) -> list[str]:
    """Return the fields after the command, which may contain spaces; an empty list if the process has ended."""
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _resident_kb(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0)
