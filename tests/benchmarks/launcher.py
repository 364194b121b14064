"""Runs a command and writes to a descriptor what it took: seconds, peak memory in MiB, exit code.

A program of its own, because the kernel counts into a process's peak what whoever started it had at its most
(`exec_mmap` in `fs/exec.c`): the benchmarks grow, this does not.
"""

from __future__ import annotations

import os
import sys
import time


def main(descriptor: str, *command: str) -> None:
    os.set_inheritable(int(descriptor), False)
    begun = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - begun
    told = f"{seconds} {usage.ru_maxrss / 1024} {os.waitstatus_to_exitcode(status)}"
    os.write(int(descriptor), told.encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
