"""Prompts, which MLflow 3 keeps as registered models with a tag: found by those alone who ask for them."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, not_

from mlproj.model.registry import PROMPT_TAG
from mlproj.model.search import AllOf, AnyOf, Comparison, Expression, Kind, Operator

_YES = {(Operator.EQUAL, "true"), (Operator.UNEQUAL, "false")}


def without_prompts(
    where: Expression, prompt: ColumnElement[bool]
) -> tuple[Expression, tuple[ColumnElement[bool], ...]]:
    """The search, and what else has to hold: `prompt` says of a row that it is one.

    Models do not have the tag, so that comparing it with `false` finds none by itself.
    """
    if any((one.operator, one.values) in {(sign, (word,)) for sign, word in _YES} for one in _asked(where)):
        return where, ()
    return _ignoring(where), (not_(prompt),)


def _asked(where: Expression) -> Iterator[Comparison]:
    if not isinstance(where, Comparison):
        for part in where.of:
            yield from _asked(part)
    elif where.key.kind is Kind.TAG and where.key.name == PROMPT_TAG:
        yield where


def _ignoring(where: Expression) -> Expression:
    match where:
        case AllOf(of):
            return AllOf(tuple(map(_ignoring, of)))
        case AnyOf(of):
            return AnyOf(tuple(map(_ignoring, of)))
        case Comparison():
            return AllOf() if where.key.kind is Kind.TAG and where.key.name == PROMPT_TAG else where
