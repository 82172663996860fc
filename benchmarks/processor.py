"""Processor time and memory of processes and all that they started, from Linux's ``/proc``."""

import os
from collections.abc import Iterator
from pathlib import Path

from benchmarks.errors import BenchFailed

_TICKS = os.sysconf("SC_CLK_TCK")
_MB = 1024
#: fields of ``/proc/<pid>/stat`` behind the command: process group, user, system, and the same of waited-for children
_GROUP, _TIMES, _OWN_TIMES = 2, slice(11, 15), slice(11, 13)


def cpu_s(group: int) -> float:
    """Seconds of processor that a process group has used, ended children included. Raises BenchFailed without /proc."""
    return sum(sum(map(int, fields[_TIMES])) for _, fields in _members(group)) / _TICKS


def own_cpu_s(pid: int) -> float:
    """Seconds of processor that one process has used itself; 0 when it has ended."""
    return sum(map(int, _stat(Path(f"/proc/{pid}"))[_OWN_TIMES])) / _TICKS


def children(pid: int) -> list[int]:
    """Processes that one has started and that have not been waited for."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def resident_mb(group: int) -> float:
    """Memory of a process group, in MB of 1024 kB. Raises BenchFailed without /proc."""
    return sum(_resident_kb(pid) for pid, _ in _members(group)) / _MB


def _members(group: int) -> Iterator[tuple[int, list[str]]]:
    if not Path("/proc/self/stat").exists():
        raise BenchFailed("processor time is read from /proc, which only Linux has")
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            fields = _stat(folder)
            if fields and int(fields[_GROUP]) == group:
                yield int(folder.name), fields


def _stat(folder: Path) -> list[str]:
    """Empty for a process that has just ended. The command may hold spaces, so what counts is behind its bracket."""
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
