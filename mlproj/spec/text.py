"""The author's files as text: regular files of a bounded size, in UTF-8 or UTF-16."""

from __future__ import annotations

import codecs
import contextlib
import os
import stat
from pathlib import Path

from mlproj.errors import SpecError

YAML_LIMIT = 1024 * 1024
REQUIREMENTS_LIMIT = 4 * 1024 * 1024

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read(directory: Path, file: str, *, limit: int = YAML_LIMIT) -> str:
    """The text of `file` (relative to `directory`), with line ends as `\\n`.

    Raises SpecError where it is missing, no regular file, unreadable, larger than `limit` bytes or no text.
    """
    try:
        content = _content(directory / file, file, limit)
    except FileNotFoundError as error:
        raise SpecError(f"there is no file `{file}` in `{directory}`", file=file) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = f"`chmod u+r` on `{directory / file}`" if isinstance(error, PermissionError) else None
        raise SpecError(f"`{file}` cannot be read: {reason}", hint=hint, file=file) from error
    return decode(content, file).replace("\r\n", "\n").replace("\r", "\n")


def decode(content: bytes, file: str) -> str:
    """The text in `content`; raises SpecError with the line of the first byte that is none."""
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), None) or _unmarked(content)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SpecError(
            f"`{file}` is not {encoding.removesuffix('-sig').upper()} text",
            hint="save it as UTF-8",
            file=file,
            line=line,
        ) from error


def _unmarked(content: bytes) -> str:
    """What two bytes tell of a text without a mark, whose first character is as good as always ASCII's."""
    if len(content) < 2 or (content[0] == 0) == (content[1] == 0):
        return "utf-8"
    encoding = "utf-16-be" if content[0] == 0 else "utf-16-le"
    with contextlib.suppress(UnicodeDecodeError):
        content.decode(encoding)
        return encoding
    return "utf-8"


def _content(path: Path, file: str, limit: int) -> bytes:
    # O_NONBLOCK: a named pipe in the file's place must not hang the reader.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SpecError(f"`{file}` is not a regular file", hint="put a text in its place", file=file)
    with os.fdopen(descriptor, "rb") as opened:
        content = opened.read(limit + 1)
    if len(content) > limit:
        hint = "such a file is a short text; is it another one?"
        raise SpecError(f"`{file}` is larger than {limit // 1024} KiB", hint=hint, file=file)
    return content
