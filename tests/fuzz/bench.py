"""Hands inputs to a worker and watches it: no input may take long, much memory, or the process with it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
MOST_MIB = 200


@dataclass(slots=True, kw_only=True)
class Bench:
    """A worker that is started when it is needed. `patience` is in seconds for each input."""

    patience: float
    peak: float = 0.0
    _process: subprocess.Popen[bytes] | None = field(default=None)

    def judge(self, target: str, data: bytes) -> str | None:
        """What is wrong with how the target takes `data`, None where nothing is."""
        process = self._worker()
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write(b"%s %d\n" % (target.encode(), len(data)) + data)
            stdin.flush()
        except BrokenPipeError:
            return self._ended("died")
        if not select.select([stdout], [], [], self.patience)[0]:
            return self._ended(f"took more than {self.patience:g} s")
        answer = stdout.readline()
        if not answer:
            return self._ended("died")
        problem, peak = json.loads(answer)
        self.peak = max(self.peak, peak)
        if problem is None and peak > MOST_MIB:
            problem = f"took {peak:.0f} MiB of memory"
        if peak > MOST_MIB:
            self.close()
        return None if problem is None else str(problem)

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _ended(self, what: str) -> str:
        process, self._process = self._process, None
        assert process is not None
        if what != "died":
            process.kill()
        process.communicate()
        return f"the process {what} ({process.returncode})"

    def _worker(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                (sys.executable, "-m", "tests.fuzz.worker"),
                cwd=REPOSITORY,
                env={**os.environ, "LC_ALL": "C.UTF-8"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        return self._process
