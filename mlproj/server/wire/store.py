"""Requests for whole runs as values, and answers as bytes: in MessagePack, or in JSON for who asks so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mlproj.errors import MlprojError
from mlproj.server.failures import Failure, invalid, told
from mlproj.store_wire import Asked, Question, decoded, encoded

JSON = "application/json"


def read_question(body: bytes, question: Question, kind: str) -> Asked:
    """What a body of that media type asks. Raises Failure."""
    try:
        if kind == JSON or not body:
            return decoded(body or b"{}", question.asked, as_json=True)
        return decoded(body, question.asked)
    except (ValueError, RecursionError) as error:
        raise invalid(f"the request cannot be read: {error}") from error


def answer_of(noun: object, kind: str) -> bytes:
    return encoded(noun, as_json=kind == JSON)


@contextlib.contextmanager
def stated(place: str, shown: str) -> Iterator[None]:
    """Has errors told with their kind and hint; the folder `place` of this machine is `shown` instead."""
    try:
        yield
    except MlprojError as error:
        message, hint = error.message.replace(place, shown), error.hint
        named = type(error)(message, hint=None if hint is None else hint.replace(place, shown))
        failure = told(named)
        raise Failure(failure.code, failure.message, failure.status, cause=named) from error
