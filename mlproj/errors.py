"""Every error that mlproj tells a person about, in one tree, each with its exit code.

    MlprojError
    ├── UsageError           2   the command was given something that cannot be meant
    │   └── ParameterError       a value that does not fit, is missing, or is given twice
    ├── ProjectError         3   the project, its source or its data
    │   ├── SpecError            a file of the author's that cannot be read as it stands
    │   ├── SourceError          a source that cannot be fetched
    │   ├── DataError            data that is not there or cannot be read
    │   └── Refused              a run that was asked to be strict, and is not clean
    ├── EnvironmentFailed    4   an environment that cannot be locked or built
    │   └── NotSupportedYet      a kind of environment that this version cannot build
    ├── StoreError           5   the store cannot be opened or written
    │   └── RunNotFound
    ├── NotReproduced        6
    └── Altered              7   a record, blob or chain that is not what was sealed

    KeyboardInterrupt
    └── Interrupted      128 + n   signal n asked mlproj to stop

An error is data: it holds a message, a hint and an exit code, and prints nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar, NoReturn

RUN_FAILED = 1
"""Exit code of a run whose entry point failed or ran out of time."""


class MlprojError(Exception):
    """An expected failure: `message` is one sentence, `hint` says what to do next."""

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(MlprojError):
    exit_code = 2


class ParameterError(UsageError):
    pass


class ProjectError(MlprojError):
    exit_code = 3


class SpecError(ProjectError):
    """`file` and `line` say where; they stand at the end of `message` too, and `sentence` is without them."""

    def __init__(
        self, message: str, *, hint: str | None = None, file: str | None = None, line: int | None = None
    ) -> None:
        place = file if line is None else f"{file}:{line}"
        super().__init__(message if place is None else f"{message} ({place})", hint=hint)
        self.sentence = message
        self.file = file
        self.line = line


class SourceError(ProjectError):
    pass


class DataError(ProjectError):
    pass


class Refused(ProjectError):
    pass


class EnvironmentFailed(MlprojError):
    exit_code = 4


class NotSupportedYet(EnvironmentFailed):
    pass


class StoreError(MlprojError):
    exit_code = 5


class RunNotFound(StoreError):
    pass


class NotReproduced(MlprojError):
    exit_code = 6


class Altered(MlprojError):
    exit_code = 7


class Interrupted(KeyboardInterrupt):
    """A signal asked mlproj to stop. Not an `Exception`: only the outermost handler may swallow it."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"interrupted by signal {signal_number}")
        self.signal_number = signal_number

    @property
    def exit_code(self) -> int:
        return 128 + self.signal_number


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """The hint "did you mean `x`?" for the candidate nearest to `word`, or None if none is near."""
    near = difflib.get_close_matches(word, list(candidates), n=1)
    return f"did you mean `{near[0]}`?" if near else None


def unreachable(value: NoReturn) -> NoReturn:
    """Ends a `match` over a closed union, so that a forgotten case fails type checking."""
    raise AssertionError(f"unhandled case: {value!r}")
