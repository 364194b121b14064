"""Runs uv for locking and installing: found once, told of pip's configuration, its complaints told on."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import uv as uv_package

from mlproj import process
from mlproj.environments.indexes import redacted
from mlproj.errors import EnvironmentFailed
from mlproj.model.events import Report, ToolOutput

TAIL = 30
"""How many lines of a tool's output an error shows."""

_FETCH = re.compile(r"Failed to fetch: .*")
_ERROR = re.compile(r"^(?:error|ERROR): .*", re.MULTILINE)
_PREFIX = re.compile(r"^(?:error|cause|ERROR): ")
_OFFLINE = re.compile(r"error sending request|Connection refused|dns error|Failed to establish a new conn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Uv:
    """The uv program. `environ` is where its settings come from."""

    program: Path
    environ: Mapping[str, str]

    def run(
        self,
        arguments: Sequence[str | Path],
        *,
        directory: Path,
        variables: Mapping[str, str | None],
        report: Report,
        stage: str,
        stdin: bytes | None = None,
    ) -> process.Completed:
        """Runs it to its end, whatever its exit code; what it prints meanwhile is reported."""

        def tell(line: str) -> None:
            report(ToolOutput(stage=stage, line=redacted(line, self.environ, *_texts(variables))))

        return process.run(
            (self.program, "--no-progress", "--color", "never", *arguments),
            directory=directory,
            # The environment that is active where mlproj runs is none of uv's business here.
            patch={"VIRTUAL_ENV": None, "CONDA_PREFIX": None, "UV_WORKING_DIR": None, **variables},
            stdin=stdin,
            on_line=tell if stdin is None else None,
        )


def find_uv(environ: Mapping[str, str]) -> Path | None:
    """uv as it was installed with mlproj, beside its Python, or on the PATH; None where there is none."""
    try:
        return Path(uv_package.find_uv_bin())
    except FileNotFoundError:
        beside = Path(sys.executable).with_name("uv")
        if os.access(beside, os.X_OK):
            return beside
        found = shutil.which("uv", path=environ.get("PATH"))
        return None if found is None else Path(found)


def last_lines(text: str) -> str:
    """The end of a tool's output, as much of it as an error shows."""
    lines = text.rstrip().split("\n")
    cut = [f"... ({len(lines) - TAIL} lines before)"] if len(lines) > TAIL else []
    return "\n".join([*cut, *lines[-TAIL:]])


def gist(text: str) -> str:
    """A tool's complaint in a line: what failed, as its first error says, and why, as its end does."""
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", text)]
    telling = [part for part in paragraphs if part and not part.startswith("hint: ")]
    if not telling:
        return "it gave no reason"
    error = _FETCH.search(text) or _ERROR.search(text)
    what = telling[0].partition("\n")[0] if error is None else error[0]
    _, cause, why = telling[-1].rpartition("cause: ")
    why = why if cause else telling[-1].rpartition("\n")[2]
    parts = (_PREFIX.sub("", " ".join(part.split())).rstrip(".:") for part in (what, why))
    return ": ".join(dict.fromkeys(parts))


def tool_failure(what: str, words: str, hint: str | None = None) -> EnvironmentFailed:
    """The error for a tool that could not do `what`; `words` is its complaint, without credentials."""
    if _OFFLINE.search(words):
        hint = "look at the network, and at the index that the project or `PIP_INDEX_URL` names"
    return EnvironmentFailed(f"{what}: {gist(words)}", hint=hint, output=last_lines(words))


def _texts(variables: Mapping[str, str | None]) -> list[str]:
    return [value for value in variables.values() if value]
