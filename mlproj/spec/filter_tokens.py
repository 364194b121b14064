"""A filter's tokens: taken apart, fitted to what they are compared with, and named where one is wrong."""

from __future__ import annotations

import math

from lark import Token, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from mlproj.errors import UsageError
from mlproj.model.search import Key, Kind, Operator

Value = str | float

LONGEST_PATTERN = 5_000
"""Characters after a LIKE: a database gives up on some longer ones."""

_ORDERED = (Operator.LESS, Operator.LESS_EQUAL, Operator.GREATER, Operator.GREATER_EQUAL)
_PATTERNS = (Operator.LIKE, Operator.ILIKE)
_SHORT = 40

_EXPECTED = (
    ("KEY", "a key", "such as `metrics.rmse < 0.5`; one with odd characters goes in backticks"),
    ("DIRECTION", "ASC or DESC", "such as `metrics.rmse DESC`; a key with spaces goes in backticks"),
    ("OPERATOR", "a comparison", "such as `metrics.rmse < 0.5`; a key with spaces goes in backticks"),
    ("QUOTED", "a value", "put text in quotes: `params.model = 'tree'`"),
    ("_AND", "AND or OR", "a quote within quotes is written twice"),
    ("_COMMA", "a comma or `)`", "such as `run_id IN ('a', 'b')`"),
    ("NULL", "NULL", "such as `tags.owner IS NULL`"),
    ("IN", "IN", "such as `run_id NOT IN ('a', 'b')`"),
    ("_OPEN", "`(`", "such as `run_id IN ('a', 'b')`"),
    ("_CLOSE", "`)`", "parentheses come in pairs"),
)


def refuse_unstorable(text: str) -> None:
    """Raises UsageError for characters that no database takes."""
    for character in text:
        if character == "\0" or "\ud800" <= character <= "\udfff":
            raise UsageError(
                f"column {text.index(character) + 1}: {character!a} is no character of a text",
                hint="leave it out",
            )


def column_of(token: Token) -> int:
    return (token.start_pos or 0) + 1


def refused(token: Token, message: str, *, hint: str) -> UsageError:
    return UsageError(f"column {column_of(token)}: {message}", hint=hint)


def shortened(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}…"


def unexpected(text: str, error: UnexpectedInput) -> str:
    """Where the parser could not go on, and what could have stood there."""
    position = len(text)
    if isinstance(error, UnexpectedCharacters):
        position = error.pos_in_stream or 0
    elif isinstance(error, UnexpectedToken) and error.token.type != "$END":
        position = error.token.start_pos or 0
    rest = text[position : position + _SHORT + 1].split(maxsplit=1)
    found = f"`{shortened(rest[0])}`" if rest else "the end"
    return f"column {position + 1}: {_wanted(error)[0]} is expected, and not {found}"


def hint_for(error: UnexpectedInput) -> str:
    return _wanted(error)[1]


def _wanted(error: UnexpectedInput) -> tuple[str, str]:
    terminals = set[str]()
    if isinstance(error, UnexpectedCharacters):
        terminals = set(error.allowed or ())
    elif isinstance(error, UnexpectedToken):
        terminals = set(error.expected)
    return next(
        ((what, hint) for terminal, what, hint in _EXPECTED if terminal in terminals),
        ("the end", "parentheses come in pairs, and each key to sort by in an entry of its own"),
    )


def split(token: Token) -> tuple[str | None, str]:
    """A key's prefix, None where it is a bare one, and its name without quotes."""
    prefix: str | None
    if token[0] in '`"' and token.count(token[0]) == 2 and token[-1] == token[0]:
        prefix, name = None, str(token)
    else:
        prefix, dot, name = token.partition(".")
        prefix, name = (prefix.strip("`"), name) if dot else (None, str(token))
    if len(name) > 1 and name[0] in '`"' and name[-1] == name[0]:
        name = name[1:-1]
    if not name:
        raise refused(token, f"`{shortened(token)}` names nothing", hint="such as `metrics.rmse`")
    return prefix, name


def unquoted(token: Token) -> str:
    quote = token[0]
    return token[1:-1].replace(quote * 2, quote)


def fitting(key: Key, number: bool, operator: Operator, column: int, value: Value) -> Value:
    """The value as `key` is compared with it: numbers with numbers, text with text.

    A param is text, and a number where the value was one. Raises UsageError for what does not fit.
    """
    if number:
        _refuse_pattern(key, operator, column)
        return _number(key, column, value)
    if isinstance(value, str):
        return _text(key, operator, column, value)
    if key.kind is Kind.PARAM:
        _refuse_pattern(key, operator, column)
        return value
    raise UsageError(
        f"column {column}: `{key.name}` is text, and is not compared with a number",
        hint=f"put the value in quotes: `'{value:.12g}'`",
    )


def _refuse_pattern(key: Key, operator: Operator, column: int) -> None:
    if operator in _PATTERNS:
        raise UsageError(
            f"column {column}: `{key.name}` is compared as a number, and {operator.value} is for text",
            hint="use one of = != < <= > >= IN",
        )


def _number(key: Key, column: int, value: Value) -> float:
    if isinstance(value, float):
        return value
    try:
        number = math.nan if key.kind is Kind.METRIC else float(value)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise UsageError(
            f"column {column}: `{key.name}` is compared with a number, and not with text",
            hint="write the number without quotes: `0.5`",
        )
    return number


def _text(key: Key, operator: Operator, column: int, value: str) -> str:
    if operator in _ORDERED:
        hint = "write a number without quotes: `params.alpha > 0.1`" if key.kind is Kind.PARAM else None
        raise UsageError(
            f"column {column}: `{key.name}` is text, and {operator.value} is for numbers",
            hint=hint or "use one of = != LIKE ILIKE IN",
        )
    if operator in _PATTERNS and len(value) > LONGEST_PATTERN:
        raise UsageError(
            f"column {column}: a pattern has at most {LONGEST_PATTERN} characters, and not {len(value)}",
            hint="use a shorter one",
        )
    return value
