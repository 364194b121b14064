"""The process table by way of psutil, for systems without Linux's `/proc`."""

from __future__ import annotations

import os

import psutil

from mlproj.execution.processes import Process, Table

_ATTRIBUTES = ("pid", "ppid", "status", "create_time", "cpu_times", "memory_info")


def read() -> Table:
    """Every process that we may look at."""
    table: Table = {}
    for process in psutil.process_iter(_ATTRIBUTES):
        row = process.info
        times, memory = row["cpu_times"], row["memory_info"]
        try:
            session = os.getsid(row["pid"])
        except OSError:
            continue
        table[row["pid"]] = Process(
            pid=row["pid"],
            parent=row["ppid"] or 0,
            session=session,
            alive=row["status"] not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD),
            started=row["create_time"] or 0.0,
            cpu_s=sum(times[:4]) if times else 0.0,
            rss_bytes=memory.rss if memory else 0,
        )
    return table
