"""Runs the console sessions that pages show, and compares what is printed with what the pages say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEFT_BEHIND = shutil.ignore_patterns(
    "model.joblib", "models", "*.json", "__pycache__", "mlruns", "mlflow.db", ".mlproj"
)
VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?Z?"), "TIME"),
    (re.compile(r"\b((?=[0-9a-f]*\d)[0-9a-f]{7,64}|[a-f]{8})\b"), "HEX"),
    (re.compile(r"\b[a-z]+-[a-z]+-\d{1,3}\b"), "NAME"),
    (re.compile(r"\b\d+(\.\d+)? (s|min|B|kB|MB|GB)\b"), "AMOUNT"),
    (re.compile(r"\b\d+\.\d+\.\d+\b"), "VERSION"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A command that a page shows after `$`, the lines it shows below, and the exit code if it names one.

    In the lines `…` stands for anything: any lines where it stands alone. A command that ends in
    `  # exit N` is shown to fail.
    """

    command: str
    code: int
    lines: tuple[str, ...]

    def at(self, shown: str, address: str) -> Step:
        """The step with another address than the page shows."""
        lines = tuple(line.replace(shown, address) for line in self.lines)
        return replace(self, command=self.command.replace(shown, address), lines=lines)


def sessions(page: Path) -> list[Step]:
    """Every step of the page's `console` blocks, in order."""
    blocks = re.findall(r"^```console\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [step for block in blocks for step in _steps(block)]


def workplace(folder: Path, example: str = "elasticnet") -> Path:
    """A folder as after cloning the repository: an example project, under git."""
    place = f"example_projects/{example}"
    shutil.copytree(ROOT / place, folder / place, ignore=LEFT_BEHIND)
    (folder / ".gitignore").write_text((ROOT / ".gitignore").read_text())
    for arguments in ("init --initial-branch=main", "add --all", "commit --message=first"):
        subprocess.run(("git", *arguments.split()), cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder


def perform(step: Step, folder: Path) -> None:
    """Runs the step in `folder` and asserts that it does what the page says."""
    code, printed = run(step.command, folder)
    assert code == step.code, f"{step.command}: exit {code}\n{printed}"
    assert shown_as(step.lines, printed), (
        f"{step.command} printed\n{printed}\nand the page shows\n" + "\n".join(step.lines)
    )


def run(command: str, folder: Path) -> tuple[int, str]:
    """Runs a command in `folder`, which holds the store; its exit code and what it printed."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        ("bash", "-c", command),
        cwd=folder,
        env={**os.environ, "PATH": path, "MLPROJ_STORE": str(folder / ".mlproj")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def shown_as(lines: tuple[str, ...], printed: str) -> bool:
    """Whether `printed` is what the lines show, digests, times, names and amounts aside."""
    pattern = "".join(r"(?:.*\n)*?" if line == "…" else _pattern(line) + r"\n" for line in lines)
    masked = "".join(_masked(line) + "\n" for line in printed.splitlines() if line.strip())
    return re.fullmatch(pattern, masked) is not None


def _pattern(line: str) -> str:
    return ".*".join(re.escape(part) for part in _masked(line).split("…"))


def _masked(line: str) -> str:
    for varying, name in VARYING:
        line = varying.sub(name, line)
    return " ".join(line.split())


def _steps(block: str) -> Iterator[Step]:
    command, lines = "", list[str]()
    for line in block.splitlines():
        if line.startswith("$ "):
            if command:
                yield _step(command, lines)
            command, lines = line[2:], []
        elif line.strip():
            lines.append(line)
    if command:
        yield _step(command, lines)


def _step(command: str, lines: list[str]) -> Step:
    bare, _, code = command.partition("  # exit ")
    return Step(command=bare, code=int(code or 0), lines=tuple(lines))
