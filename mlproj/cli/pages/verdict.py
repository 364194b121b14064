"""What is shown of a verdict: the word, what was compared, and what may have made it differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlproj.cli.sheet import Row, Section
from mlproj.cli.words import counted
from mlproj.compare.causes import Cause
from mlproj.compare.verdict import Item
from mlproj.services.reproduce import Reproduction

_SHORT = 19
"""Characters of a digest that are shown: `sha256:` and twelve digits."""


TITLES = {True: "not as it was", False: "what may have made it differ"}
"""Above what is another than it was, by whether the result is none the less what it was."""


def verdict_page(found: Reproduction) -> tuple[Section, ...]:
    verdict = found.verdict
    return (
        Section(rows=tuple(_head(found))),
        Section(
            title="compared",
            headings=("", "recorded", "again", "verdict", ""),
            rows=tuple(_row(item) for item in verdict.items),
        ),
        Section(title="varied", rows=tuple((sentence,) for sentence in verdict.variations)),
        causes(verdict.causes, TITLES[verdict.grade.is_reproduced]),
        Section(title="notes", rows=tuple((note,) for note in verdict.notes)),
    )


def causes(found: Sequence[Cause], title: str = TITLES[False]) -> Section:
    return Section(title=title, rows=tuple((cause.kind, "\n".join(cause.details)) for cause in found))


def sentence_of(found: Reproduction) -> str:
    """The verdict in a sentence."""
    verdict, original = found.verdict, found.original
    name = f"run `{original.name}` ({original.run_id[:8]})"
    if verdict.failure is not None:
        return f"{name} could not be reproduced: {verdict.failure.stage}: {verdict.failure.reason}"
    done = "done again" if verdict.times == 1 else f"done again {counted(verdict.times, 'time')}"
    return f"{name}, {done}, is {verdict.grade.value}"


def _head(found: Reproduction) -> Iterator[Row]:
    verdict = found.verdict
    yield "verdict", verdict.grade.value
    yield "", sentence_of(found)
    if verdict.failure is not None and verdict.failure.hint:
        yield "hint", verdict.failure.hint
    for run in found.runs:
        yield "again as", f"run `{run.name}` ({run.run_id[:8]})"


def _row(item: Item) -> Row:
    return label(item), shown(item.before), shown(item.after), item.grade.value, item.why or ""


def label(item: Item) -> str:
    return item.name if item.kind == "status" else f"{item.kind} {item.name}"


def shown(value: str | None) -> str:
    if value is None:
        return "-"
    return " | ".join(part[:_SHORT] if part.startswith("sha256:") else part for part in value.split(" | "))
