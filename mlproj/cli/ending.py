"""The one place where an exception becomes words and an exit code."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from dataclasses import dataclass, replace

import typer

from mlproj.cli.controls import printable
from mlproj.errors import EnvironmentFailed, Interrupted, MlprojError, one_line
from mlproj.model.redaction import without_credentials
from mlproj.version import __version__

BUG = 70
USAGE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is said at the end of a command that did not end well; `document` is the same for `--json`.

    `before` is what a tool said, for people to read in either case.
    """

    code: int
    text: str = ""
    before: str = ""
    document: dict[str, object] | None = None


def ended_by(error: BaseException) -> Ending:
    """Expected errors give their message and hint, everything else a crash file."""
    if isinstance(error, EnvironmentFailed) and error.output:
        told = _told(type(error).__name__, error.message, error.hint, error.exit_code)
        return replace(told, before=_indented(printable(error.output)))
    if isinstance(error, MlprojError):
        return _told(type(error).__name__, error.message, error.hint, error.exit_code)
    if isinstance(error, Interrupted):
        return _told("Interrupted", "interrupted", None, error.exit_code)
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        return _told("Interrupted", "interrupted", None, 130)
    if isinstance(error, typer.Exit):
        return Ending(code=error.exit_code)
    if isinstance(error, SystemExit):
        return Ending(code=error.code if isinstance(error.code, int) else BUG)
    if isinstance(error, BrokenPipeError):
        return _reader_gone()
    message = getattr(error, "format_message", None)  # what typer raises for a wrong command line
    if message is not None:
        return _usage(error, str(message()))
    return _bug(error)


def _told(kind: str, message: str, hint: str | None, code: int) -> Ending:
    text = f"error: {message}" + (f"\n\nhint: {hint}" if hint else "")
    document: dict[str, object] = {
        "schema": "mlproj/error/1",
        "error": kind,
        "message": message,
        "hint": hint,
        "exit_code": code,
    }
    return Ending(code=code, text=printable(text), document=document)


def _indented(text: str) -> str:
    """A tool's words, which may begin with `error:` as ours do."""
    return "\n".join(f"  {line}".rstrip() for line in text.split("\n"))


def _usage(error: BaseException, message: str) -> Ending:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "mlproj"
    return _told("UsageError", message[:1].lower() + message[1:].rstrip("."), f"`{path} --help`", USAGE)


def _reader_gone() -> Ending:
    """Whoever read our output stopped: not an error, and Python must not complain about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Ending(code=141)


def _bug(error: BaseException) -> Ending:
    details = "".join(traceback.format_exception(error))
    header = f"mlproj {__version__}, Python {sys.version.split()[0]}, {platform.platform()}\n"
    try:
        handle, path = tempfile.mkstemp(prefix="mlproj-crash-", suffix=".txt")
        with os.fdopen(handle, "w") as file:
            file.write(header + without_credentials(details))
        where = f"the details are in `{path}`, fit for a bug report"
    except OSError:
        where = details
    what = one_line(f"mlproj failed in a way it should not: {type(error).__name__}: {error}")
    return _told("Bug", what, where, BUG)
