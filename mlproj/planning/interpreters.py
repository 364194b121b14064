"""Interpreters of other languages: which word of a command is the text of a program."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mlproj.planning.programs import WRAPPERS


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Interpreter:
    """How an interpreter is told its program."""

    names: re.Pattern[str]
    code: frozenset[str]
    """Options that the text of a program follows."""
    files: frozenset[str] = _NONE
    """Options that a program's file follows."""
    valued: frozenset[str] = _NONE
    """Options that something else follows."""
    glued: frozenset[str] = _NONE
    """Short options the value of which, if any, is the rest of the word."""
    last: frozenset[str] = _NONE
    """Options after which all is for the program."""
    operand: bool = False
    """Whether the first word that is no option is the program, unless an option gives one."""
    permutes: bool = False
    """Whether options may come after words that are none."""


_INTERPRETERS = (
    _Interpreter(
        names=re.compile(r"(?:i?python|pypy)[\d.]*"),
        code=_set("-c"),
        valued=_set("-W -X --check-hash-based-pycs"),
        last=_set("-c -m"),
    ),
    _Interpreter(
        names=re.compile(r"perl[\d.]*"),
        code=_set("-e -E"),
        valued=_set("-I"),
        glued=_set("-i -m -M -F -V -D -C -x"),
    ),
    _Interpreter(
        names=re.compile(r"ruby[\d.]*"),
        code=_set("-e"),
        valued=_set("-I -C -E -r"),
        glued=_set("-i -F -K -T -W -x"),
    ),
    _Interpreter(
        names=re.compile(r"node(?:js)?"),
        code=_set("-e -p --eval --print"),
        valued=_set("-r -C --require --import --conditions --loader --env-file --input-type"),
    ),
    _Interpreter(
        names=re.compile(r"R(?:script)?"),
        code=_set("-e"),
        valued=_set("-f -g -d --encoding"),
        last=_set("--args"),
    ),
    _Interpreter(
        names=re.compile(r"julia"),
        code=_set("-e -E --eval --print"),
        valued=_set("-L -p -J -t -C -H --load --threads --procs --sysimage"),
    ),
    _Interpreter(
        names=re.compile(r"[gmn]?awk"),
        code=_set("-e --source"),
        files=_set("-f -E --file --exec"),
        valued=_set("-F -v -i -l --field-separator --assign --include --load"),
        glued=_set("-d -D -L -o -p"),
        operand=True,
    ),
    _Interpreter(
        names=re.compile(r"g?sed"),
        code=_set("-e --expression"),
        files=_set("-f --file"),
        valued=_set("-l --line-length"),
        glued=_set("-i"),
        operand=True,
        permutes=True,
    ),
)


def interpreter_of(words: Sequence[str], own: int) -> str | None:
    """The interpreter for which the word at `own` is the text of a program, or None where it is none.

    `words` are a command's, without quotes and without what only the run will know.
    """
    wrapped = os.path.basename(words[0]) in WRAPPERS
    for index, word in enumerate(words[:own] if wrapped else words[:1]):
        name = os.path.basename(word)
        for interpreter in _INTERPRETERS:
            if interpreter.names.fullmatch(name):
                first = index + 1
                return name if own - first in _programs(interpreter, words[first:]) else None
    return None


def _programs(interpreter: _Interpreter, arguments: Sequence[str]) -> frozenset[int]:
    """Which of the arguments are texts of programs."""
    programs: list[int] = []
    operands: list[int] = []
    given, position = False, 0
    while position < len(arguments):
        option, attached = _option(interpreter, arguments[position])
        if _is_operand(arguments[position]):
            operands.append(position)
            if not interpreter.permutes:
                break
        elif option in interpreter.code | interpreter.files | interpreter.valued and not attached:
            position += 1
        if option in interpreter.code:
            programs.append(position)
        given = given or option in interpreter.code | interpreter.files
        if option in interpreter.last:
            break
        position += 1
    if interpreter.operand and not given:
        programs += operands[:1]
    return frozenset(programs)


def _is_operand(word: str) -> bool:
    return not word.startswith("-") or word == "-"


def _option(interpreter: _Interpreter, word: str) -> tuple[str | None, bool]:
    """The option in the word that takes a value or is the last one, and whether its value is in the word."""
    if _is_operand(word):
        return None, False
    if word.startswith("--"):
        name, equals, _ = word.partition("=")
        return name, equals != ""
    known = interpreter.code | interpreter.files | interpreter.valued | interpreter.glued | interpreter.last
    for end, letter in enumerate(word[1:], start=2):
        if f"-{letter}" in known:
            return f"-{letter}", end < len(word)
    return None, False
