"""Shows in pages what their commands print now: `python -m tests.docs.rewrite README.md`.

A session that leaves something out (`…`) is checked and not rewritten.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from tests.docs.console import run, sessions, shown_as, workplace


def rewritten(page: Path, folder: Path) -> str:
    """The page with what its commands print in `folder`, a clone of the repository."""
    text = page.read_text()
    position = 0
    for step in sessions(page):
        code, printed = run(step.command, folder)
        start = text.index(f"$ {step.command}", position)
        position = text.index("\n", start) + 1
        if code != step.code:
            print(f"{page}: `{step.command}` exits {code}, and not {step.code}")
        if shown_as(step.lines, printed):
            continue
        if any("…" in line for line in step.lines):
            print(f"{page}: `{step.command}` prints something else now; see to it by hand")
            continue
        end = position + len(_shown(text[position:]))
        text = text[:position] + printed.rstrip("\n") + "\n" + text[end:]
    return text


def _shown(rest: str) -> str:
    """What the page shows of a step's output, up to the next command or the end of the block."""
    ends = [place for mark in ("\n$ ", "\n```") if (place := f"\n{rest}".find(mark)) >= 0]
    return rest[: min(ends)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.docs.rewrite", description=__doc__)
    parser.add_argument("pages", nargs="+", type=Path)
    identity = {"NAME": "Ada", "EMAIL": "ada@example.org"}
    for key, value in identity.items():
        os.environ.update({f"GIT_AUTHOR_{key}": value, f"GIT_COMMITTER_{key}": value})
    for page in parser.parse_args().pages:
        with tempfile.TemporaryDirectory() as folder:
            page.write_text(rewritten(page, workplace(Path(folder))))


if __name__ == "__main__":
    main()
