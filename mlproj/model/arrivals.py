"""What a record that comes from elsewhere may say of files: what a runner of ours can have found.

Names of files may hold anything but a NUL and a slash, line breaks too, and are recorded so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mlproj.model.digest import read_folder, read_manifest, readable
from mlproj.model.record import BlobReference
from mlproj.model.run import Output

LONGEST = 4096
"""Bytes of a path: no system opens one that is longer."""
_SNAPSHOT = "source.snapshot"
_SERVED = "served"
_STOOD_FOR = re.compile(rb"\\x[0-9a-f]{2}")
"""A byte that is no UTF-8, as a record has it."""
_BREAKS = re.compile(r"[\0\r\n]")
_SHOWN = 100


def leads_out(path: bytes) -> bool:
    """Whether a path that a list of a folder's files names is none below that folder."""
    return any(part in (b"", b".", b"..") for part in path.split(b"/"))


def is_address(path: str) -> bool:
    """Whether an output can be asked for by that path, on one line."""
    return not leads_out(path.encode("utf-8", "surrogateescape")) and _BREAKS.search(path) is None


def refuse_odd_outputs(outputs: Iterable[Output]) -> None:
    """Raises ValueError, with the path, for outputs that no run left.

    What a tracking server holds is called as that server calls it.
    """
    declared: dict[str, Output] = {}
    for output in outputs:
        if output.state == _SERVED:
            continue
        path = output.path.removesuffix("/")
        if (reason := _complaint(_STOOD_FOR.sub(b"?", path.encode("utf-8", "surrogateescape")))) is not None:
            raise ValueError(f"the path `{_shown(output.path)}` of an output {reason}")
        if output.declared and declared.setdefault(path, output) is not output:
            raise ValueError(f"the output `{_shown(output.path)}` is declared twice")
    for path in declared:
        for above in _above(path):
            file = declared.get(above)
            if file is not None and file.kind == "file" and declared[path].state == file.state == "written":
                raise ValueError(f"the output `{_shown(path)}` lies in `{_shown(above)}`, which is a file")


def refuse_odd_list(reference: BlobReference, manifest: bytes) -> None:
    """Raises ValueError, with the part of the record, for a list of files that is none of ours, or that names
    a file which is none below its folder."""
    try:
        if reference.part == _SNAPSHOT:
            paths = [path for path, _, _ in read_manifest(manifest)]
        else:
            paths = [path for path, _ in read_folder(manifest)]
    except ValueError as error:
        raise ValueError(
            f"the list of files `{_shown(reference.part)}` cannot be read: {_shown(str(error))}"
        ) from error
    for path in paths:
        if (reason := _complaint(path)) is not None:
            raise ValueError(f"the path `{_shown(readable(path))}` in `{_shown(reference.part)}` {reason}")


def _complaint(path: bytes) -> str | None:
    if not path:
        return "is empty"
    if path.startswith(b"/"):
        return "is no relative one"
    if leads_out(path):
        return "leads out of its folder, or around in it"
    if b"\0" in path:
        return "holds a null character"
    return f"is longer than {LONGEST} bytes" if len(path) > LONGEST else None


def _above(path: str) -> Iterator[str]:
    """The folders that a path lies in."""
    return (path[:place] for place, letter in enumerate(path) if letter == "/")


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
