"""Volumes as people write them for a shell, read without one: `${PWD}/data:/data`, `~/x:/x`, `./a:/b:ro`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from mlproj.errors import SpecError

_FOLDER = re.compile(r"\$\(\s*pwd\s*\)|`\s*pwd\s*`|\$\{PWD\}|\$PWD(?![A-Za-z0-9_])|%cd%", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\}|\$(?P<plain>[A-Za-z_][A-Za-z0-9_]*)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_FORM = "a volume is `folder:/path/in/the/container`, with `:ro` after it to have it read only"


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """`source` is a path on this machine, or the name of a volume of the engine's; None where the engine is
    to make one for the run alone. `options` are as the engine takes them."""

    source: str | None
    target: str
    options: str = ""

    @property
    def is_folder(self) -> bool:
        return self.source is not None and self.source.startswith("/")

    @property
    def bound(self) -> str:
        """As the engine's list of binds has it."""
        return ":".join(filter(None, (self.source, self.target, self.options)))


def read_volume(text: str, directory: Path, environ: Mapping[str, str]) -> Volume:
    """The volume that `text` means in the project folder `directory`. Raises SpecError."""
    filled = _filled(text, directory, environ)
    if "\0" in filled:
        raise SpecError(f"the volume `{text!a}` holds a NUL, which no path does", hint=_FORM)
    source, target, options = _parts(filled, text)
    if not target.startswith("/"):
        raise SpecError(f"the volume `{text}` names no absolute path in the container", hint=_FORM)
    if source is None:
        return Volume(source=None, target=target)
    if source == "~" or source.startswith("~/"):
        source = environ.get("HOME", os.path.expanduser("~")) + source[1:]
    if source.startswith((".", "/")) or "/" in source:
        source = os.path.normpath(os.path.join(directory, source))
    elif not _NAME.fullmatch(source):
        raise SpecError(f"the volume `{text}` names neither a folder nor a volume of Docker's", hint=_FORM)
    return Volume(source=source, target=os.path.normpath(target), options=options)


def _filled(text: str, directory: Path, environ: Mapping[str, str]) -> str:
    """Without a shell's quotes, and with what a shell would have put in."""
    plain = _FOLDER.sub(lambda _: str(directory), text.replace('"', "").replace("'", ""))
    if "$(" in plain or "`" in plain:
        hint = "a volume may hold `$(pwd)`, `${PWD}`, `$HOME` and other variables, and no other command"
        raise SpecError(f"the volume `{text}` has a command in it, and no shell reads it here", hint=hint)

    def value(found: re.Match[str]) -> str:
        name = found["braced"] or found["plain"]
        if name not in environ:
            raise SpecError(f"the volume `{text}` names `{name}`, which is not set", hint=f"set `{name}`")
        return environ[name]

    return _VARIABLE.sub(value, plain)


def _parts(filled: str, text: str) -> tuple[str | None, str, str]:
    parts = filled.split(":")
    if len(parts) == 1:
        return None, parts[0], ""
    if len(parts) == 2:
        return parts[0], parts[1], ""
    if len(parts) == 3 and not parts[2].startswith("/"):
        return parts[0], parts[1], parts[2]
    raise SpecError(f"the volume `{text}` has too many colons", hint=_FORM)
