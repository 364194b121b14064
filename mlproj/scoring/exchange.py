"""What is asked and what is answered, whoever carries it: a connection, or a file."""

from __future__ import annotations

import json
from typing import Any, Callable, NamedTuple

JSON = "application/json"
PLAIN = "text/plain"
"""As any text, it goes out with its encoding."""


class Request(NamedTuple):
    """`path` is without what follows a `?`; the names of `headers` are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""
    lasts: bool = True
    """Whether the connection is to stay open after the answer."""


class Answer(NamedTuple):
    status: int
    body: bytes
    kind: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


Scorer = Callable[[bytes, str], Answer]
"""Answers what was posted to `/invocations`: a body, and its content type (empty where none is told)."""


class Loaded(NamedTuple):
    """A model that is ready, and what `/version` says of whoever loaded it."""

    scorer: Scorer
    version: str


class Refused(Exception):
    """What was sent cannot be meant, and this is the answer to it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Unusable(Exception):
    """A model that cannot be loaded, in a sentence."""


def refusal(status: int, code: str, message: str) -> Answer:
    """An error in the form that MLflow's clients read."""
    return document(status, {"error_code": code, "message": message})


def unreadable(error: Exception) -> Answer:
    """The answer to JSON that Python reads, and that goes too far for whoever makes a table of it."""
    told = f"the input has a number too large, or is nested too deep: {error}"
    return refusal(400, "BAD_REQUEST", told)


def document(status: int, content: Any) -> Answer:
    return Answer(status, json.dumps(content).encode())
