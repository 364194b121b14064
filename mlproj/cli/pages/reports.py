"""Writes a verdict for other programs to read: Markdown for a summary in CI, JUnit's XML, JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import msgspec

from mlproj.cli.controls import printable
from mlproj.cli.documents import RUN_SCHEMA
from mlproj.cli.pages.verdict import TITLES, label, sentence_of, shown
from mlproj.compare.verdict import Grade
from mlproj.errors import OutputError, UsageError
from mlproj.files import write_atomically
from mlproj.model.digest import plain
from mlproj.services.reproduce import Reproduction

SCHEMA = "mlproj/verdict/1"
_SUITE = "mlproj reproduce"
_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def check_notation(path: Path) -> None:
    """Raises UsageError where nobody knows how to write a file of that name."""
    if path.suffix.lower() not in _NOTATIONS:
        raise UsageError(
            f"`--report {path}`: the name does not tell in which notation",
            hint="call it .md, .xml or .json",
        )


def write(path: Path, found: Reproduction) -> None:
    """Writes the verdict in the notation that the name asks for. Raises OutputError."""
    content = _NOTATIONS[path.suffix.lower()](found)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content, mode=0o644)
    except OSError as error:
        raise OutputError(f"the report cannot be written to `{path}`: {error.strerror}") from error


def _markdown(found: Reproduction) -> bytes:
    return "".join(f"{line}\n" for line in _lines(found)).encode()


def _lines(found: Reproduction) -> Iterator[str]:
    verdict = found.verdict
    yield f"## {verdict.grade.value}"
    yield ""
    yield _escaped(sentence_of(found))
    if verdict.items:
        yield ""
        yield "| | recorded | again | verdict | |"
        yield "|---|---|---|---|---|"
        for item in verdict.items:
            cells = (label(item), shown(item.before), shown(item.after), item.grade.value, item.why or "")
            yield "| " + " | ".join(_cell(cell) for cell in cells) + " |"
    for title, told in (("Varied", verdict.variations), ("Notes", verdict.notes)):
        if told:
            yield ""
            yield f"### {title}"
            yield ""
            yield from (f"- {_escaped(sentence)}" for sentence in told)
    if verdict.causes:
        yield ""
        yield f"### {TITLES[verdict.grade.is_reproduced].capitalize()}"
        yield ""
        for cause in verdict.causes:
            yield f"- {cause.kind}"
            yield from (f"  - {_escaped(detail)}" for detail in cause.details)


def _cell(text: str) -> str:
    return _escaped(text).replace("|", "\\|")


def _escaped(text: str) -> str:
    """Names are those of a stranger's files: none of them becomes a tag or a link."""
    plain_text = printable(text).replace("\n", " ")
    escaped = "".join(f"\\{sign}" if sign in "\\<>[]*_#!" else sign for sign in plain_text)
    return escaped.replace("://", "\\://").replace("www.", "www\\.")


def _junit(found: Reproduction) -> bytes:
    verdict = found.verdict
    items = verdict.items
    wrong = [item for item in items if item.grade in (Grade.DIFFERENT, Grade.FAILED)]
    skipped = [item for item in items if item.grade is Grade.NOT_COMPARABLE]
    error = verdict.failure if not wrong else None
    suite = ElementTree.Element(
        "testsuite",
        name=_SUITE,
        tests=str(len(items) + (error is not None)),
        failures=str(len(wrong)),
        errors=str(int(error is not None)),
        skipped=str(len(skipped)),
    )
    for item in items:
        case = _case(suite, found, label(item))
        if item in wrong:
            told = item.why or item.grade.value
            failure = ElementTree.SubElement(case, "failure", message=_clean(told), type=item.grade.value)
            failure.text = _clean(f"recorded {item.before}, again {item.after}")
        elif item in skipped:
            ElementTree.SubElement(case, "skipped", message=_clean(item.why or item.grade.value))
    if error is not None:
        case = _case(suite, found, error.stage)
        ElementTree.SubElement(case, "error", message=_clean(error.reason), type=error.stage)
    if verdict.causes:
        told = "".join(f"{cause.kind}: {'; '.join(cause.details)}\n" for cause in verdict.causes)
        ElementTree.SubElement(suite, "system-out").text = _clean(told)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    content: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return content


def _case(suite: ElementTree.Element, found: Reproduction, name: str) -> ElementTree.Element:
    classname = _clean(found.original.name)
    return ElementTree.SubElement(suite, "testcase", classname=classname, name=_clean(name))


def _clean(text: str) -> str:
    """XML has no form for most control characters, nor for what is no character at all."""
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", printable(text))


def _json(found: Reproduction) -> bytes:
    document = {"schema": SCHEMA, "run_schema": RUN_SCHEMA, **plain(found.verdict)}
    return msgspec.json.format(msgspec.json.encode(document)) + b"\n"


_NOTATIONS: dict[str, Callable[[Reproduction], bytes]] = {
    ".md": _markdown,
    ".markdown": _markdown,
    ".xml": _junit,
    ".json": _json,
}
