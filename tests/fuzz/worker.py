"""The process that the parsers run in: it may hang, die or swell, and takes nothing else with it.

Reads `target size` and as many bytes, again and again; answers each with a line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from pathlib import Path

from tests.fuzz.judge import judged

MOST_ADDRESSES = 3 * 1024**3
"""So that what swells without end stops before the machine does."""


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))
    source, answers = sys.stdin.buffer, sys.stdout
    with tempfile.TemporaryDirectory(prefix="mlproj-fuzz-") as name:
        while line := source.readline():
            target, size = line.split()
            problem = judged(target.decode(), source.read(int(size)), Path(name, "input"))
            answers.write(json.dumps([problem, peak_mib()]) + "\n")
            answers.flush()


def peak_mib() -> float:
    """The most memory that this process has had, in MiB."""
    try:
        # `ru_maxrss` begins with what the parent had when it started us.
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1024**2 if sys.platform == "darwin" else peak / 1024


if __name__ == "__main__":
    main()
