"""YAML files become small typed trees that know their lines: bounded, safe, each failure one sentence."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import yaml

from mlproj.errors import SpecError
from mlproj.model.project import Finding, Location

MAX_DEPTH = 64
MAX_ALIASES = 1000
MAX_WEIGHT = 50_000
"""Nodes of a document with its aliases written out; long texts weigh more."""
MAX_DIRECTIVES = 100
MAX_NUMBER = 1000
"""Characters of a number: with more of them, Python takes very long or refuses."""

_SECOND_LOOK = 128 * 1024
"""Characters of a text that is worth the time of PyYAML's own parser, which takes seconds for a megabyte."""

_STANDARD = "tag:yaml.org,2002:"
_SCALARS = frozenset(("str", "int", "float", "bool", "null", "timestamp", "binary", "merge", "value"))


class _Parser(Protocol):
    """What is used of PyYAML's loaders; its own in Python where it was built without libyaml."""

    def get_event(self) -> yaml.Event: ...

    def resolve(self, kind: type[yaml.Node], value: str, implicit: tuple[bool, bool]) -> str: ...

    def dispose(self) -> None: ...


_parser: Callable[[str], _Parser] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Scalar(msgspec.Struct, frozen=True, kw_only=True):
    """A single value. `text` is what the file holds, `kind` what YAML takes it for (`str`, `int`, ...)."""

    text: str
    kind: str
    location: Location


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    items: tuple[Node, ...]
    location: Location


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A key with its value; `location` is the key's."""

    key: str
    value: Node
    location: Location


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping; each key is there once."""

    entries: tuple[Entry, ...]
    location: Location

    def find(self, key: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.key == key), None)


Node = Scalar | Listing | Table


def failure(message: str, location: Location, hint: str | None = None) -> SpecError:
    """The error for something wrong at a place in a file."""
    return SpecError(message, hint=hint, file=location.file, line=location.line)


def is_null(node: Node | None) -> bool:
    return node is None or (isinstance(node, Scalar) and node.kind == "null")


def is_false(node: Node) -> bool:
    """Whether Python takes the value for false, which MLflow takes for missing: `''`, `{}`, `[]`, `false`."""
    return not value_of(node)


def printed(node: Node) -> str:
    """The text that Python's `str` gives for the value as YAML's safe loader reads it (`True`, `[1, 2]`).

    Raises SpecError where the value is not one (`2020-99-99`).
    """
    return str(value_of(node))


def parse(text: str, file: str, findings: list[Finding], *, most: int = MAX_WEIGHT) -> Node | None:
    """The document in `text`, None where there is none. Keys given twice are told in `findings`.

    Raises SpecError for anything that the safe loader would refuse, and for what goes over the bounds, of
    which `most` is that of its weight.
    """
    if text.startswith("%") + text.count("\n%") > MAX_DIRECTIVES:
        # libyaml compares each of them with each, in one step that nothing can stop.
        raise SpecError(f"`{file}` has more than {MAX_DIRECTIVES} lines that begin with `%`", file=file)
    try:
        return _document(_parser, text, file, findings, most)
    except yaml.YAMLError as error:
        refusal = error
    try:
        # What libyaml refuses, PyYAML's own parser, and so MLflow, may read: `{type:int, default:[1]}`.
        if len(text) <= _SECOND_LOOK:
            return _document(yaml.SafeLoader, text, file, findings, most)
    except yaml.YAMLError:
        pass
    raise _translated(refusal, text, file) from refusal


def _document(
    parser: Callable[[str], _Parser], text: str, file: str, findings: list[Finding], most: int
) -> Node | None:
    loader: _Parser | None = None
    found: list[Finding] = []
    try:
        loader = parser(text)
        root = _Builder(loader=loader, file=file, findings=found, most=most).document()
    finally:
        if loader is not None:
            loader.dispose()
    findings.extend(found)
    return root


def _translated(error: yaml.YAMLError, text: str, file: str) -> SpecError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
    line = mark.line + 1 if mark is not None else None
    hint = _hint(problem, _character(text, mark))
    return SpecError(f"`{file}` is not valid YAML: {problem}", hint=hint, file=file, line=line)


def _character(text: str, mark: yaml.Mark | None) -> str:
    if mark is None:
        return ""
    line = next(itertools.islice(text.split("\n"), mark.line, None), "")
    return line[mark.column : mark.column + 1]


def _hint(problem: str, character: str) -> str | None:
    if character == "\t" or "tab" in problem:
        return "indent with blanks, not with tabs"
    if "cannot start any token" in problem and character:
        return f"quote a text that begins with `{character}`"
    if "mapping values are not allowed" in problem:
        return "quote a text that holds a colon and a blank"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Anchor:
    """A node that aliases may name, its weight, and how many levels it has below its own."""

    node: Node
    weight: int
    height: int


@dataclass(slots=True, kw_only=True)
class _Builder:
    """Builds the tree out of the parser's events, so that bounds hold before anything is built."""

    loader: _Parser
    file: str
    findings: list[Finding]
    most: int
    anchors: dict[str, _Anchor] = field(default_factory=dict)
    weight: int = 0
    aliases: int = 0
    deepest: int = 0
    """The depth of the deepest node since an anchor's node began."""

    def document(self) -> Node | None:
        root: Node | None = None
        while not isinstance(event := self.loader.get_event(), yaml.StreamEndEvent):
            if isinstance(event, yaml.StreamStartEvent | yaml.DocumentEndEvent):
                continue
            if root is not None:
                raise failure(f"`{self.file}` holds more than one YAML document", self._place(event))
            root = self._node(self.loader.get_event(), 0)
        return root

    def _node(self, event: yaml.Event, depth: int) -> Node:
        place = self._place(event)
        self._reach(depth, place)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, place, depth)
        before = self.weight
        self._weigh(1, place)
        if not isinstance(event, yaml.NodeEvent) or not event.anchor:
            return self._built(event, place, depth)
        around, self.deepest = self.deepest, depth
        node = self._built(event, place, depth)
        height, weight = self.deepest - depth, self.weight - before
        self.anchors[event.anchor] = _Anchor(node=node, weight=weight, height=height)
        self.deepest = max(around, self.deepest)
        return node

    def _reach(self, depth: int, place: Location) -> None:
        if depth > MAX_DEPTH:
            raise failure(f"`{self.file}` is nested more than {MAX_DEPTH} levels deep", place)
        self.deepest = max(self.deepest, depth)

    def _built(self, event: yaml.Event, place: Location, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, place)
        if isinstance(event, yaml.SequenceStartEvent):
            self._known_tag(event, "seq", place)
            items = tuple(self._node(inner, depth + 1) for inner in self._until(yaml.SequenceEndEvent))
            return Listing(items=items, location=place)
        self._known_tag(event, "map", place)
        return self._table(place, depth)

    def _until(self, end: type[yaml.Event]) -> Iterator[yaml.Event]:
        while not isinstance(event := self.loader.get_event(), end):
            yield event

    def _scalar(self, event: yaml.ScalarEvent, place: Location) -> Scalar:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self.loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        kind = tag.removeprefix(_STANDARD)
        if kind not in _SCALARS or not tag.startswith(_STANDARD):
            raise failure(f"`{tag}` is a YAML tag that nothing here understands", place)
        self._weigh(len(event.value) // 64, place)
        if "\0" in event.value or _surrogate(event.value):
            raise failure("a text holds a character that no file name or argument can hold", place)
        return Scalar(text=event.value, kind=kind, location=place)

    def _table(self, place: Location, depth: int) -> Table:
        own: dict[str, Entry] = {}
        merged: list[Table] = []
        for event in self._until(yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            value = self._node(self.loader.get_event(), depth + 1)
            if not isinstance(key, Scalar):
                raise failure("a key must be a plain word, not a list or a mapping", key.location)
            if key.kind == "merge":
                merged[:0] = _merge_sources(value)
                continue
            self._add(own, Entry(key=printed(key), value=value, location=key.location))
        for table in merged:
            for entry in table.entries:
                own.setdefault(entry.key, entry)
        return Table(entries=tuple(own.values()), location=place)

    def _add(self, own: dict[str, Entry], entry: Entry) -> None:
        if entry.key in own:
            message = f"`{entry.key}` is given twice, and the last one counts"
            self.findings.append(Finding(severity="warning", message=message, location=entry.location))
        own[entry.key] = entry

    def _alias(self, event: yaml.AliasEvent, place: Location, depth: int) -> Node:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise failure(f"`{self.file}` has more than {MAX_ALIASES} aliases", place)
        if event.anchor not in self.anchors:
            raise failure(f"`*{event.anchor}` names an anchor that is not there, or not complete yet", place)
        anchor = self.anchors[event.anchor]
        self._weigh(anchor.weight, place)
        self._reach(depth + anchor.height, place)
        return anchor.node

    def _weigh(self, weight: int, place: Location) -> None:
        self.weight += weight
        if self.weight > self.most:
            raise failure(f"`{self.file}` is too large with its aliases written out", place)

    def _known_tag(self, event: yaml.Event, known: str, place: Location) -> None:
        tag = getattr(event, "tag", None)
        if tag not in (None, "!", _STANDARD + known):
            raise failure(f"`{tag}` is a YAML tag that nothing here understands", place)

    def _place(self, event: yaml.Event) -> Location:
        mark = event.start_mark
        return Location(file=self.file, line=None if mark is None else mark.line + 1)


def _surrogate(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def _merge_sources(node: Node) -> tuple[Table, ...]:
    tables = node.items if isinstance(node, Listing) else (node,)
    found = tuple(table for table in tables if isinstance(table, Table))
    if len(found) != len(tables):
        raise failure("`<<` merges mappings only", node.location)
    return found


def value_of(node: Node) -> object:
    """The value as YAML's safe loader reads it; raises SpecError where it is not one."""
    if isinstance(node, Listing):
        return [value_of(item) for item in node.items]
    if isinstance(node, Table):
        return {entry.key: value_of(entry.value) for entry in node.entries}
    if node.kind in ("str", "value", "merge"):
        return node.text
    if node.kind in ("int", "float") and len(node.text) > MAX_NUMBER:
        raise failure(
            f"`{node.text[:60]}…` is too long for a number", node.location, "quote a text of digits"
        )
    try:
        scalar = yaml.ScalarNode(_STANDARD + node.kind, node.text)
        return yaml.constructor.SafeConstructor().construct_object(scalar)
    # The last three come of a tag on a text that it does not fit: `!!timestamp x`, `!!int ""`, `!!bool x`.
    except (ValueError, OverflowError, yaml.YAMLError, AttributeError, IndexError, KeyError) as error:
        raise failure(f"`{node.text[:60]}` is not a valid {node.kind} in YAML", node.location) from error
