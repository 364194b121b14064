"""One target under atheris: `python -m tests.fuzz.guided TARGET [libFuzzer's options] [folders]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["mlproj"]):
    from tests.fuzz.judge import judged


def main() -> None:
    program, target, *options = sys.argv
    with tempfile.TemporaryDirectory(prefix="mlproj-fuzz-") as name:

        def one(data: bytes) -> None:
            problem = judged(target, data, Path(name, "input"))
            if problem is not None:
                raise AssertionError(problem)

        atheris.Setup([program, *options], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
