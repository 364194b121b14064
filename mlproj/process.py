"""The one door to other programs: a tuple of arguments, a folder, and a patch of environment variables."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import msgspec

GIT_ENVIRONMENT: Mapping[str, str | None] = {
    **dict.fromkeys(
        (
            "GIT_DIR",
            "GIT_WORK_TREE",
            "GIT_INDEX_FILE",
            "GIT_COMMON_DIR",
            "GIT_OBJECT_DIRECTORY",
            "GIT_ALTERNATE_OBJECT_DIRECTORIES",
            "GIT_NAMESPACE",
            "GIT_PREFIX",
            "GIT_EXTERNAL_DIFF",
            "GIT_LITERAL_PATHSPECS",
            "LANGUAGE",
        )
    ),
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C.UTF-8",
}
"""The patch for git wherever we call it: the repository is the one we name and not that of a hook which
called us, nothing in it is refreshed or fetched on the side, nobody is asked, and messages are English."""


STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that ask mlproj, and what it runs, to stop."""


ATTENDED_PATIENCE_S = 15.0
"""So long a program that is attended may take to end what it does."""


class ProgramMissing(Exception):
    """The program is not on this machine. Whoever called it tells a person what it was wanted for."""


class Completed(msgspec.Struct, frozen=True, kw_only=True):
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

    `on_line` gets each line of its standard error as it comes; a carriage return ends one too, as in
    progress. It goes neither with `stdin` nor with `timeout`. Secrets are passed by `patch` or `stdin`, never
    as arguments. An exception in here (an interrupt, too) ends the program first. Raises ProgramMissing where
    there is no such program, and `subprocess.TimeoutExpired` after `timeout` seconds.
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


def attend(
    command: Sequence[str | Path],
    *,
    directory: Path,
    environ: Mapping[str, str],
    descriptors: tuple[int, ...] = (),
    is_fed: bool = False,
) -> int:
    """Runs a program that has our own streams until it ends, and returns its exit code.

    Its standard input is ours where `is_fed`, else a pipe that ends when we do, however that comes. An
    exception in here (an interrupt, too) has it end what it does first. Raises ProgramMissing.
    """
    arguments = tuple(os.fspath(argument) for argument in command)
    try:
        process = subprocess.Popen(
            arguments,
            cwd=directory,
            env=dict(environ),
            stdin=None if is_fed else subprocess.PIPE,
            pass_fds=descriptors,
        )
    except FileNotFoundError as error:
        raise ProgramMissing(f"`{arguments[0]}` is not installed") from error
    try:
        return process.wait()
    except BaseException:
        stop(process, patience=ATTENDED_PATIENCE_S)
        raise
    finally:
        if process.stdin is not None:
            process.stdin.close()


def stop(process: subprocess.Popen[bytes], *, patience: float = 2.0) -> None:
    """Ends a program that we started: asked first, killed when it does not listen."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience)
            return


def _communicate_by_line(
    process: subprocess.Popen[bytes], on_line: Callable[[str], None]
) -> tuple[bytes, bytes]:
    stdout, stderr = process.stdout, process.stderr
    assert stdout is not None and stderr is not None
    collected: list[bytes] = []
    reader = threading.Thread(target=lambda: collected.append(stdout.read()), daemon=True)
    reader.start()
    lines = []
    for line in _pieces(stderr):
        lines.append(line)
        on_line(line.decode("utf-8", "replace").rstrip())
    reader.join()
    stdout.close()
    stderr.close()
    process.wait()
    return b"".join(collected), b"".join(lines)


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """The lines of a stream with their ends; a carriage return ends one as well as a newline does."""
    rest = b""
    while piece := os.read(stream.fileno(), 65536):
        *whole, rest = re.split(rb"(?<=[\r\n])", rest + piece)
        yield from whole
    if rest:
        yield rest
