"""MLflow's grammar of filters and orders, read by lark: loaded where there is one to read."""

from __future__ import annotations

import functools
from pathlib import Path

import msgspec
from lark import Lark, Token, Transformer, UnexpectedInput

from mlproj.errors import UsageError
from mlproj.model.search import AllOf, AnyOf, Comparison, Expression, Key, Kind, Operator, Order
from mlproj.spec.filter_tokens import (
    Value,
    column_of,
    fitting,
    hint_for,
    refuse_unstorable,
    refused,
    shortened,
    split,
    unexpected,
    unquoted,
)
from mlproj.spec.searchable import VOCABULARIES, Subject, Vocabulary

LONGEST = 200_000
"""Characters of a filter: some five thousand run ids between the parentheses of an IN."""

MOST_COMPARISONS = 200
MOST_VALUES = 10_000
DEEPEST = 20
"""Bounds of what databases take: the depth of an expression, bound values."""

_GRAMMAR = Path(__file__).with_name("filters.lark")
_SIGNS = {
    **{operator.value: operator for operator in Operator},
    "==": Operator.EQUAL,
    "<>": Operator.UNEQUAL,
}


def read_filter(subject: Subject, text: str) -> Expression:
    """Raises UsageError."""
    part = _parsed(subject, "filter", text)
    assert isinstance(part, _Part)
    return part.expression


def read_order(subject: Subject, text: str) -> Order:
    """Raises UsageError."""
    order = _parsed(subject, "order_by", text)
    assert isinstance(order, Order)
    return order


class _Part(msgspec.Struct, frozen=True):
    """An expression with what it takes of the bounds."""

    expression: Expression
    comparisons: int = 1
    values: int = 0
    depth: int = 0


class _Reader(Transformer[Token, object]):
    """Makes expressions while the parser goes: there is no tree, so that nothing goes down into one."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        self._vocabulary = vocabulary

    def filter(self, parts: list[_Part]) -> _Part:
        return _bounded(parts[0] if parts else _Part(AllOf(), comparisons=0))

    def disjunction(self, parts: list[_Part]) -> _Part:
        return _joined(AnyOf, parts)

    def conjunction(self, parts: list[_Part]) -> _Part:
        return _joined(AllOf, parts)

    def order_by(self, tokens: list[Token]) -> Order:
        descending = len(tokens) > 1 and tokens[1].upper() == "DESC"
        key = self._key(tokens[0])
        if key.kind is Kind.DATASET:
            raise refused(tokens[0], "runs are not sorted by their datasets", hint="a run may have several")
        return Order(key=key, descending=descending)

    def compared(self, children: tuple[Token, Token, tuple[int, Value]]) -> _Part:
        key, sign, (column, value) = children
        return self._comparison(key, _operator(sign), [(column, value)])

    def listed(self, children: list[Token | tuple[int, Value]]) -> _Part:
        words = [child for child in children if isinstance(child, Token)]
        values = [child for child in children if not isinstance(child, Token)]
        return self._comparison(words[0], Operator.NOT_IN if len(words) > 2 else Operator.IN, values)

    def absent(self, words: list[Token]) -> _Part:
        operator = Operator.IS_NOT_NULL if len(words) > 3 else Operator.IS_NULL
        return _Part(Comparison(key=self._key(words[0]), operator=operator))

    def value(self, tokens: list[Token]) -> tuple[int, Value]:
        (token,) = tokens
        if token.type == "BARE":
            raise refused(token, f"`{shortened(token)}` is no value", hint="put text in quotes: `'…'`")
        return column_of(token), unquoted(token) if token.type == "QUOTED" else float(token)

    member = value

    def _key(self, token: Token) -> Key:
        prefix, name = split(token)
        try:
            return self._vocabulary.key(prefix, name)
        except UsageError as error:
            raise UsageError(f"column {column_of(token)}: {error.message}", hint=error.hint) from error

    def _comparison(self, token: Token, operator: Operator, values: list[tuple[int, Value]]) -> _Part:
        key = self._key(token)
        number = self._vocabulary.is_number(key)
        fitted = tuple(fitting(key, number, operator, column, value) for column, value in values)
        return _Part(Comparison(key=key, operator=operator, values=fitted), values=len(fitted))


@functools.cache
def _parser(subject: Subject) -> Lark:
    return Lark(
        _GRAMMAR.read_text(),
        parser="lalr",
        start=["filter", "order_by"],
        transformer=_Reader(VOCABULARIES[subject]),
    )


def _parsed(subject: Subject, start: str, text: str) -> object:
    if len(text) > LONGEST:
        raise UsageError(
            f"the {start} has {len(text)} characters, and {LONGEST} are the most",
            hint="ask for fewer things at once",
        )
    try:
        refuse_unstorable(text)
        return _parser(subject).parse(text, start=start)
    except UnexpectedInput as error:
        raise UsageError(f"{start}, {unexpected(text, error)}", hint=hint_for(error)) from error
    except UsageError as error:
        raise UsageError(f"{start}, {error.message}", hint=error.hint) from error


def _joined(kind: type[AllOf] | type[AnyOf], parts: list[_Part]) -> _Part:
    """The parts as one; those that are joined in the same way already become one level with them."""
    if len(parts) == 1:
        return parts[0]
    flat: list[Expression] = []
    for part in parts:
        flat += part.expression.of if isinstance(part.expression, kind) else [part.expression]
    deepest = max(part.depth - 1 if isinstance(part.expression, kind) else part.depth for part in parts)
    return _bounded(
        _Part(
            kind(tuple(flat)),
            comparisons=sum(part.comparisons for part in parts),
            values=sum(part.values for part in parts),
            depth=deepest + 1,
        )
    )


def _bounded(part: _Part) -> _Part:
    for count, most, what in (
        (part.comparisons, MOST_COMPARISONS, "comparisons"),
        (part.values, MOST_VALUES, "values"),
        (part.depth, DEEPEST, "levels of parentheses"),
    ):
        if count > most:
            raise UsageError(f"there are more than {most} {what}", hint="ask in several filters")
    return part


def _operator(sign: Token) -> Operator:
    try:
        return _SIGNS[sign.upper()]
    except KeyError:
        hint = f"the comparisons are {', '.join(operator.value for operator in Operator)}"
        raise refused(sign, f"`{shortened(sign)}` is no comparison", hint=hint) from None
