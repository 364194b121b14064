"""The one door to other programs: a tuple of arguments, a folder, and a patch of environment variables."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlproj.errors import MlprojError


class ProgramMissing(MlprojError):
    """The program is not on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A program that ended: `code` is minus the signal's number where a signal ended it."""

    command: tuple[str, ...]
    code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Its standard output as text, without the newline at the end."""
        return os.fsdecode(self.stdout).rstrip("\n")

    @property
    def complaint(self) -> str:
        """What it said of its failure: stderr, or stdout where that is empty."""
        return (self.stderr or self.stdout).decode("utf-8", "replace").strip()


def patched(environ: Mapping[str, str], patch: Mapping[str, str | None]) -> dict[str, str]:
    """`environ` with the variables of `patch` set, and those that are None there removed."""
    merged = {**environ, **{name: value for name, value in patch.items() if value is not None}}
    return {name: value for name, value in merged.items() if patch.get(name, value) is not None}


def run(
    command: Sequence[str | Path],
    *,
    directory: Path | None = None,
    patch: Mapping[str, str | None] | None = None,
    stdin: bytes | None = None,
    on_line: Callable[[str], None] | None = None,
    timeout: float | None = None,
) -> Completed:
    """Runs a program to its end and returns what came of it, whatever its exit code.

    `on_line` gets each line of its standard error as it comes. Secrets are passed by `patch` or `stdin`,
    never as arguments. An exception in here (an interrupt, too) ends the program first. Raises
    ProgramMissing where there is no such program, and `subprocess.TimeoutExpired` after `timeout` seconds.
    """
    arguments = tuple(os.fspath(argument) for argument in command)
    environ = patched(os.environ, patch or {})
    try:
        process = subprocess.Popen(
            arguments,
            cwd=directory,
            env=environ,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError as error:
        if directory is not None and not directory.is_dir():
            raise
        raise ProgramMissing(f"`{arguments[0]}` is not installed") from error
    try:
        if on_line is None:
            stdout, stderr = process.communicate(stdin, timeout=timeout)
        else:
            stdout, stderr = _communicate_by_line(process, on_line)
    except BaseException:
        stop(process)
        raise
    return Completed(command=arguments, code=process.returncode, stdout=stdout, stderr=stderr)


def stop(process: subprocess.Popen[bytes], *, patience: float = 2.0) -> None:
    """Ends a program that we started: asked first, killed when it does not listen."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience)
            return


def show(command: Sequence[str | Path]) -> str:
    """The command as a person would type it."""
    return shlex.join(os.fspath(argument) for argument in command)


def _communicate_by_line(
    process: subprocess.Popen[bytes], on_line: Callable[[str], None]
) -> tuple[bytes, bytes]:
    assert process.stdout is not None and process.stderr is not None
    collected: list[bytes] = []
    reader = threading.Thread(target=lambda: collected.append(process.stdout.read()), daemon=True)  # type: ignore[union-attr]  # checked above
    reader.start()
    lines = []
    for line in process.stderr:
        lines.append(line)
        on_line(line.decode("utf-8", "replace").rstrip())
    reader.join()
    process.wait()
    return b"".join(collected), b"".join(lines)
