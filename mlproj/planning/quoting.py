"""Quotes in a bash script, by a scanner that gives up where it is not certain.

It is the second opinion on what tree-sitter's grammar says: a value goes in only where both agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mlproj.planning.places import Quotes

_PLAIN_EXPANSION = re.compile(r"\$\{[^{}'\"\\`$]*\}")

_CASE = re.compile(r"(?:case|esac)(?![^\s;&|)])")


def quotes_at(script: str, marks: frozenset[int]) -> dict[int, Quotes]:
    """The quotes round each offset of `marks`; an offset about which there is any doubt is left out."""
    scanner = _Scanner(script=script, marks=marks)
    scanner.scan()
    return scanner.found if scanner.stack == ["code"] else {}


class _Doubt(Exception):
    """Something that only a full parser of bash understands: nothing after it is certain."""


@dataclass(slots=True, kw_only=True)
class _Scanner:
    script: str
    marks: frozenset[int]
    position: int = 0
    stack: list[str] = field(default_factory=lambda: ["code"])
    """What is open: `code`, then `(`, `"` and `case` within."""
    found: dict[int, Quotes] = field(default_factory=dict)

    def scan(self) -> None:
        try:
            while self.position < len(self.script):
                self._step()
        except _Doubt:
            self.stack = ["code"]

    def _step(self) -> None:
        double = self.stack[-1] == '"'
        if self.position in self.marks:
            self.found[self.position] = Quotes.DOUBLE if double else Quotes.BARE
        character = self.script[self.position]
        if character == "\\":
            self.position += 2
        elif character == "`":
            self._skip_backticks()
        elif character == "$":
            self._dollar()
        elif character == '"':
            self._toggle(double)
        elif double:
            self.position += 1
        else:
            self._code(character)

    def _code(self, character: str) -> None:
        if character == "'":
            self._single()
        elif character == "(":
            self._push("(")
        elif character == ")":
            self._close()
        elif self._begins_word() and _CASE.match(self.script, self.position):
            self._case()
        elif character == "#" and self._begins_word():
            self.position = self._find("\n", self.position)
        elif self.script.startswith("<<", self.position) and not self.script.startswith("<<<", self.position):
            raise _Doubt
        elif self.script.startswith("<<<", self.position):
            self.position += 3
        else:
            self.position += 1

    def _dollar(self) -> None:
        following = self.script[self.position + 1 : self.position + 2]
        if following == "(":
            self.position += 1
            self._push("(")
        elif following == "{":
            match = _PLAIN_EXPANSION.match(self.script, self.position)
            if match is None:
                raise _Doubt
            self.position = match.end()
        elif following in ("'", '"') and self.stack[-1] != '"':
            raise _Doubt
        else:
            self.position += 1

    def _toggle(self, double: bool) -> None:
        if double:
            self._pop()
        else:
            self._push('"')

    def _push(self, opened: str) -> None:
        self.stack.append(opened)
        self.position += 1

    def _pop(self) -> None:
        if len(self.stack) == 1:
            raise _Doubt
        self.stack.pop()
        self.position += 1

    def _close(self) -> None:
        """A `)`: of what was opened, or, in a `case` or where nothing is open, a pattern's end."""
        if self.stack[-1] == "(":
            self._pop()
        else:
            self.position += 1

    def _case(self) -> None:
        """Within `$(…)` only: elsewhere a pattern's `)` closes nothing, and `case` may be any word."""
        opens = self.script[self.position] == "c"
        if opens and len(self.stack) > 1:
            self.stack.append("case")
        elif not opens and self.stack[-1] == "case":
            self.stack.pop()
        self.position += 4

    def _single(self) -> None:
        end = self._find("'", self.position + 1)
        if end == len(self.script):
            raise _Doubt
        for mark in self._between(self.position, end):
            self.found[mark] = Quotes.SINGLE
        self.position = end + 1

    def _skip_backticks(self) -> None:
        match = re.compile(r"`(?:[^`\\]|\\.)*`", re.DOTALL).match(self.script, self.position)
        if match is None:
            raise _Doubt
        self.position = match.end()

    def _find(self, wanted: str, start: int) -> int:
        end = self.script.find(wanted, start)
        return len(self.script) if end < 0 else end

    def _between(self, start: int, end: int) -> Iterator[int]:
        return (mark for mark in self.marks if start < mark < end)

    def _begins_word(self) -> bool:
        return self.position == 0 or self.script[self.position - 1] in " \t\n;&|()"
