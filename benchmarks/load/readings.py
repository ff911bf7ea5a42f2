"""What a process has used: its CPU time to the nanosecond, and its share of memory, as the kernel counts them."""

import os
import time
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PROCESS_CLOCK: Final = 2  # clock_getcpuclockid(3): the scheduler's clock of all threads of a process
_CHILDREN_USER, _CHILDREN_SYSTEM = 13, 14  # in /proc/<pid>/stat, counted after the name


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and all its threads; 0 if it is gone."""
    try:
        return time.clock_gettime((~pid << 3) | _PROCESS_CLOCK)
    except OSError:
        return 0.0


def tree_cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, its children that live, and those that have ended and were waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    ended = (int(fields[_CHILDREN_USER]) + int(fields[_CHILDREN_SYSTEM])) / _TICKS
    return ended + cpu_seconds(pid) + sum(map(cpu_seconds, children(pid)))


def children(pid: int) -> list[int]:
    """Return the processes that this one has started."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def pss_bytes(pid: int) -> int:
    """Return the proportional set size: private memory, and a share of what is shared; 0 if the process is gone."""
    return _rolled_up(pid, "Pss:")


def rss_bytes(pid: int) -> int:
    """Return the resident set size: private memory, and all that is shared; 0 if the process is gone."""
    return _rolled_up(pid, "Rss:")


def _rolled_up(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024
