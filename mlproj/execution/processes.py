"""Which processes belong to a run: its session, and every descendant that was ever seen of it.

Read from `/proc` directly where there is one: a look costs less than half of psutil's, and nothing to import.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import resource
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from mlproj.execution.adoption import clear_away


class Process(NamedTuple):
    """A row of the process table. `cpu_s` includes children that were waited for."""

    pid: int
    parent: int
    session: int
    alive: bool
    started: float
    cpu_s: float
    rss_bytes: int


Table = dict[int, Process]


class Family:
    """The processes of one run, and what the largest look at them saw.

    One that starts a session of its own is known from the first look on that sees it below the others, or,
    once it is an orphan that we adopted, by the id of the run among its variables.
    """

    def __init__(self, root: int, run_id: str | None = None) -> None:
        self.root = root
        self._variable = None if run_id is None else f"MLPROJ_RUN_ID={run_id}".encode()
        self.peak_rss_bytes = 0
        self.cpu_s = 0.0
        self._read = table_reader()
        self._known: dict[int, float] = {}
        self._inherited = own_peak()

    def look(self) -> tuple[Process, ...]:
        """The living members, freshly read, parents before children. Notes their memory and CPU time.

        In this order a shell that is sent a signal with all others has it before the command that it waits
        for ends, as at a terminal: later, it would begin the next command first.
        """
        members = self._members(self._read())
        self._known.update((member.pid, member.started) for member in members)
        clear_away(member.pid for member in members if not member.alive and member.pid != self.root)
        self.peak_rss_bytes = max(self.peak_rss_bytes, sum(member.rss_bytes for member in members))
        self.cpu_s = max(self.cpu_s, sum(member.cpu_s for member in members))
        return tuple(member for member in members if member.alive)

    def glance(self) -> None:
        """Notes the memory of the first process alone, which costs next to nothing."""
        with contextlib.suppress(OSError), open(f"/proc/{self.root}/status", "rb", buffering=0) as file:
            peak = file.read().partition(b"\nVmHWM:")[2].split(maxsplit=1)
            self.peak_rss_bytes = max(self.peak_rss_bytes, int(peak[0]) * 1024 if peak else 0)

    def has_session(self) -> bool:
        """Whether any process is left in the run's session, be it only one that nobody waited for."""
        try:
            return any(_session(int(name)) == self.root for name in os.listdir("/proc") if name.isdigit())
        except OSError:
            return True

    def orphans(self) -> tuple[int, ...]:
        """Processes of the run, still living, that lost their parents and became children of ours."""
        rows = (_read_stat(str(pid)) for pid in _own_children() if pid != self.root)
        return tuple(row.pid for row in rows if row is not None and row.alive and self._is_root(row))

    def peak(self, usage: resource.struct_rusage) -> int:
        """The peak memory in bytes, given what the kernel says of the processes that were waited for.

        The kernel counts a child's memory from its fork on, when it still is ours: a largest process that is
        no larger than we were says nothing. In a run too short for any look, the pages that it touched
        stand for its memory.
        """
        seen = max(self.peak_rss_bytes, largest(usage) if largest(usage) > self._inherited else 0)
        return seen or min(largest(usage), usage.ru_minflt * _PAGE)

    def _members(self, table: Table) -> list[Process]:
        children: dict[int, list[Process]] = {}
        for process in table.values():
            children.setdefault(process.parent, []).append(process)
        found: Table = {}
        waiting = [process for process in table.values() if self._is_root(process)]
        while waiting:
            process = waiting.pop()
            if process.pid not in found:
                found[process.pid] = process
                waiting.extend(children.get(process.pid, ()))
        return sorted(found.values(), key=lambda member: (member.started, member.pid))

    def _is_root(self, process: Process) -> bool:
        return (
            process.session == self.root
            or self._known.get(process.pid) == process.started
            or (process.parent == os.getpid() and process.pid != self.root and self._is_ours(process.pid))
        )

    def _is_ours(self, pid: int) -> bool:
        """Whether a child of this process, which may run something else too, is of this run."""
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                return self._variable is not None and self._variable in file.read().split(b"\0")
        except OSError:
            return False


def table_reader() -> Callable[[], Table]:
    """What reads the process table on this machine."""
    if os.path.exists("/proc/self/stat"):
        return read_proc
    reader: Callable[[], Table] = importlib.import_module("mlproj.execution.portable").read
    return reader


def read_proc() -> Table:
    """The process table, from Linux's `/proc/PID/stat`."""
    return {process.pid: process for process in map(_read_stat, os.listdir("/proc")) if process is not None}


def _read_stat(name: str) -> Process | None:
    if not name.isdigit():
        return None
    try:
        with open(f"/proc/{name}/stat", "rb", buffering=0) as file:
            text = file.read()
    except OSError:
        return None
    # The program's name may hold anything, brackets and blanks too, so the fields are counted after it.
    fields = text.rpartition(b")")[2].split()
    return Process(
        pid=int(name),
        parent=int(fields[1]),
        session=int(fields[3]),
        alive=fields[0] not in (b"Z", b"X"),
        started=int(fields[19]),
        cpu_s=sum(map(int, fields[11:15])) / _TICKS,
        rss_bytes=int(fields[21]) * _PAGE,
    )


def largest(usage: resource.struct_rusage) -> int:
    """The kernel's figure for the largest process, in bytes: macOS counts in bytes, the others in KiB."""
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def own_peak() -> int:
    return largest(resource.getrusage(resource.RUSAGE_SELF))


def send(processes: Iterable[Process], number: int) -> None:
    """Sends a signal to those that are still there and ours to signal."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, number)


def _own_children() -> Iterator[int]:
    """Whom this process would have to wait for; nobody on a system that does not tell."""
    with contextlib.suppress(OSError):
        for thread in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{thread}/children") as file:
                yield from map(int, file.read().split())


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
