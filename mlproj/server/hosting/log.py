"""What a server says while it goes on: a line for each request and each event, for people or for programs.

Every line is written at once, so that those of several processes do not mix. No line holds what was asked for
but its path, and that without a token.
"""

from __future__ import annotations

import contextlib
import os
import re
import traceback

import msgspec

from mlproj.model.moment import now
from mlproj.model.redaction import MASK, without_credentials

_STANDARD_ERROR = 2
_TOKEN = re.compile(r"/t/[^/\s]+")
_LONGEST_PATH = 500
_BARE = re.compile(r"[\w.,:/@+*\-]+", re.ASCII)


class Log:
    """Writes to standard error, as JSON objects or as text. Where nobody takes it, all else goes on."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def event(self, event: str, **fields: str | int | float | None) -> None:
        """Something that happened, with what is to be known of it."""
        self._write("info", event, fields)

    def trouble(self, event: str, **fields: str | int | float | None) -> None:
        """As `event`, for what somebody should look at."""
        self._write("error", event, fields)

    def bug(self, error: BaseException, **fields: str | int | float | None) -> None:
        """An exception that nothing expected, with where it came from."""
        details = without_credentials("".join(traceback.format_exception(error)))
        self._write("error", "bug", {**fields, "error": type(error).__name__, "traceback": details})

    def _write(self, level: str, event: str, fields: dict[str, str | int | float | None]) -> None:
        told = {name: value for name, value in fields.items() if value is not None}
        if self._as_json:
            line = msgspec.json.encode({"time": now(), "level": level, "event": event, **told})
        else:
            details = told.pop("traceback", None)
            pairs = "".join(f" {name}={_shown(value)}" for name, value in told.items())
            text = f"{now()} {level:<5} {event}{pairs}" + (f"\n{details}" if details else "")
            line = text.encode(errors="backslashreplace")
        with contextlib.suppress(OSError):
            os.write(_STANDARD_ERROR, line + b"\n")


def shown_path(path: str) -> str:
    """A path for the log: without the token that may be in it, and not longer than a line bears."""
    return _TOKEN.sub(f"/t/{MASK}", path)[:_LONGEST_PATH]


def _shown(value: str | int | float) -> str:
    """A value that is one word, in quotes and with escapes where it would be several."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if _BARE.fullmatch(text) else msgspec.json.encode(text).decode()
