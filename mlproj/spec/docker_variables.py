"""A file of variables for a container, as `docker run --env-file` reads it, which is not as a shell would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mlproj.errors import UsageError


def read_variables(file: str) -> Iterator[str]:
    """Its lines, `NAME=value` or, to have it copied, `NAME`, without remarks. Raises UsageError."""
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise UsageError(f"`-A env-file={file}` cannot be read: {reason}") from error
    for number, line in enumerate(map(str.lstrip, text.split("\n")), 1):
        name = line.partition("=")[0]
        if not line or line.startswith("#"):
            continue
        if not name or "\0" in line or any(map(str.isspace, name)):
            raise UsageError(
                f"`{name}` is no variable's name ({file}:{number})", hint="a line is `NAME=value`, or `NAME`"
            )
        yield line
