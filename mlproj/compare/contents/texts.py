"""Text, line by line."""

from __future__ import annotations

import difflib
from collections import Counter

from mlproj.compare.judgement import Judgement, Likeness
from mlproj.model.tolerance import Tolerance

_MOST_LINES = 20_000
_MOST_ALIKE = 1_000_000
"""Pairs of equal lines among which a matcher looks for the longest stretches, again and again."""


def compare_text(expected: bytes, found: bytes, tolerance: Tolerance) -> Judgement | None:
    """Ends of lines do not count, numbers count as text. None where one of the two is no text in UTF-8."""
    if b"\0" in expected or b"\0" in found:
        return None
    try:
        before, after = (content.decode("utf-8-sig").splitlines() for content in (expected, found))
    except UnicodeDecodeError:
        return None
    if before == after:
        return Judgement(likeness=Likeness.SAME, notation="text", why="the same lines, ended differently")
    return Judgement(likeness=Likeness.DIFFERENT, notation="text", why=_difference(before, after))


def _difference(before: list[str], after: list[str]) -> str:
    pairs = enumerate(zip(before, after, strict=False), start=1)
    first = next((line for line, (one, other) in pairs if one != other), min(len(before), len(after)) + 1)
    if max(len(before), len(after)) > _MOST_LINES or _alike(before, after) > _MOST_ALIKE:
        return f"its lines differ from line {first} on"
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    same = sum(block.size for block in matcher.get_matching_blocks())
    count = max(len(before), len(after)) - same
    return f"{count} {'line differs' if count == 1 else 'lines differ'}, the first is line {first}"


def _alike(before: list[str], after: list[str]) -> int:
    counts = Counter(before)
    return sum(counts[line] for line in after)
