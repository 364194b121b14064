"""Archives by what is in them: neither times, nor order, nor compression count."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable

from mlproj.compare.judgement import Judgement, Likeness
from mlproj.model.tolerance import Tolerance

Comparing = Callable[[str, bytes, bytes, Tolerance], Judgement]
"""Compares two contents of the file of this name."""
LARGEST = 256 << 20
"""Bytes that are taken out of an archive at most: a small file can say that it holds very much."""


def compare_zip(
    comparing: Comparing, expected: bytes, found: bytes, tolerance: Tolerance
) -> Judgement | None:
    """Member by member, each as its name says. None where one of the two is no zip archive."""
    try:
        before, after = (_members(content) for content in (expected, found))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error, OSError, EOFError, ValueError):
        return None
    return compare_members("zip archive", comparing, before, after, tolerance)


def compare_gzip(
    comparing: Comparing, expected: bytes, found: bytes, tolerance: Tolerance
) -> Judgement | None:
    """What is compressed. None where one of the two is no gzip file."""
    try:
        before, after = ({"its content": _inflated(content)} for content in (expected, found))
    except (OSError, EOFError, zlib.error, ValueError):
        return None
    return compare_members("gzip file", comparing, before, after, tolerance)


def compare_members(
    notation: str,
    comparing: Comparing,
    before: dict[str, bytes],
    after: dict[str, bytes],
    tolerance: Tolerance,
) -> Judgement:
    """The least like member decides."""
    for name in [*before, *after]:
        if name not in before or name not in after:
            side = "first" if name in before else "second"
            return Judgement(
                likeness=Likeness.DIFFERENT, notation=notation, why=f"`{name}` is only in the {side}"
            )
    worst = Judgement(likeness=Likeness.SAME, notation=notation, why="the same content, packed differently")
    order = list(Likeness)
    for name, content in before.items():
        if content == after[name]:
            continue
        judged = comparing(name, content, after[name], tolerance)
        if worst.why.startswith("the same content") or order.index(judged.likeness) > order.index(
            worst.likeness
        ):
            worst = Judgement(likeness=judged.likeness, notation=notation, why=f"`{name}`: {judged.why}")
    return worst


def _members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members, room = {}, LARGEST
        for member in archive.infolist():
            if member.is_dir():
                continue
            with archive.open(member) as file:
                taken = file.read(room + 1)
            room -= len(taken)
            if room < 0:
                raise ValueError("it holds too much")
            members[member.filename] = taken
        return members


def _inflated(content: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        taken = file.read(LARGEST + 1)
    if len(taken) > LARGEST:
        raise ValueError("it holds too much")
    return taken
