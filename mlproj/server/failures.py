"""What went wrong, in MLflow's form: a code that clients know, a sentence, and the HTTP status for it."""

from __future__ import annotations

import msgspec

from mlproj.errors import (
    AlreadyThere,
    Busy,
    MlprojError,
    NotFound,
    NotPromoted,
    NotTaken,
    SpecError,
    UsageError,
)

INVALID = "INVALID_PARAMETER_VALUE"
MISSING = "RESOURCE_DOES_NOT_EXIST"
TAKEN = "RESOURCE_ALREADY_EXISTS"
NO_ENDPOINT = "ENDPOINT_NOT_FOUND"
DENIED = "PERMISSION_DENIED"
UNKNOWN_CALLER = "UNAUTHENTICATED"
INTERNAL = "INTERNAL_ERROR"
TOO_MANY = "REQUEST_LIMIT_EXCEEDED"
AGAINST_RULES = "INVALID_STATE"
NOT_NOW = "TEMPORARILY_UNAVAILABLE"
"""Clients try again for minutes, which is what a database that is started anew asks for."""

STATUS = {
    INVALID: 400,
    TAKEN: 400,
    UNKNOWN_CALLER: 401,
    DENIED: 403,
    MISSING: 404,
    NO_ENDPOINT: 404,
    # MLflow's own status for it is 500, which clients take for a fault that may pass.
    AGAINST_RULES: 409,
    TOO_MANY: 429,
    INTERNAL: 500,
    NOT_NOW: 503,
}


NO_STORE = 507
"""The status where the store cannot be used: clients try again for minutes after any of the usual ones."""


class Failure(Exception):
    """A request that is answered with an error. `cause` is ours, for those who know our errors by kind."""

    def __init__(
        self, code: str, message: str, status: int | None = None, *, cause: MlprojError | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = STATUS[code] if status is None else status
        self.cause = cause


class ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error as MLflow's clients read it. Where a store is asked for whole runs, with our own kind of error
    and its hint."""

    error_code: str
    message: str
    kind: str | None = None
    hint: str | None = None


def invalid(message: str) -> Failure:
    return Failure(INVALID, message)


def told(error: MlprojError) -> Failure:
    """An expected error of ours in MLflow's terms; its hint is part of the sentence."""
    message = error.message if error.hint is None else f"{error.message}: {error.hint}"
    match error:
        case NotFound():
            return Failure(MISSING, message)
        case AlreadyThere():
            return Failure(TAKEN, message)
        case UsageError() | SpecError() | NotTaken():
            return Failure(INVALID, message)
        case NotPromoted():
            return Failure(AGAINST_RULES, message)
        case Busy():
            return Failure(NOT_NOW, message)
        case _:
            return Failure(INTERNAL, message, NO_STORE)


def encoded(failure: Failure) -> tuple[int, bytes]:
    """The status and the body of the answer."""
    cause = failure.cause
    if cause is None:
        answer = ErrorAnswer(error_code=failure.code, message=failure.message)
    else:
        answer = ErrorAnswer(
            error_code=failure.code, message=cause.message, kind=type(cause).__name__, hint=cause.hint
        )
    return failure.status, msgspec.json.encode(answer)
