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
    │   └── NotSupportedYet      a backend that this version cannot run on
    ├── StoreError           5   the store cannot be opened or written
    │   ├── NotFound             what is asked for is not in it
    │   │   └── RunNotFound
    │   ├── AlreadyThere         a name that is taken
    │   ├── NotAllowed           what others may do or see, and not who asks
    │   ├── NotTaken             a record that does not fit into it, however often it is tried
    │   ├── Busy                 not now, and perhaps a moment later: nothing was written
    │   │   └── Unanswered           it may have been written, and nobody knows
    │   └── NoRoom               the disk is full
    ├── OutputError          5   standard output cannot be written
    ├── NotReproduced        6
    ├── NotPromoted          6   rules that do not hold of what was to be put into Production
    └── Altered              7   a record, blob or chain that is not what was sealed

    KeyboardInterrupt
    └── Interrupted      128 + n   signal n asked mlproj to stop

An error is data: it holds a message, a hint and an exit code, and prints nothing. Message and hint are a line
each, however long and odd the names are that they quote.
"""

from __future__ import annotations

import difflib
import errno
import itertools
import re
from collections.abc import Iterable
from typing import ClassVar, NoReturn

RUN_FAILED = 1
"""Exit code of a run whose entry point failed or ran out of time."""

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says where a disk is full, or its user may have no more of it."""

NOTHING_TO_DO = 8
"""Exit code of a check that found nothing to do."""

LONGEST = 800
"""Characters of a message or a hint; of a longer one, the middle is left out. As printed it may be six times
as long, since a character that would turn what follows is shown by its number."""

_BREAKS = re.compile(r"[\t-\r\x1c-\x1e\x85\u2028\u2029]")
_LONGEST_WORD = 100
_MOST_CANDIDATES = 1000


def one_line(text: str) -> str:
    """`text` with line breaks and tabs shown as escapes; of a very long one, the middle is left out."""
    if len(text) > LONGEST:
        text = f"{text[: LONGEST * 2 // 3]} … {text[-LONGEST // 4 :]}"
    return _BREAKS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class MlprojError(Exception):
    """An expected failure: `message` is one sentence, `hint` says what to do next."""

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = one_line(message)
        self.hint = None if hint is None else one_line(hint)
        super().__init__(self.message)


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
        self.sentence = one_line(message)
        super().__init__(self.sentence if place is None else f"{self.sentence} ({place})", hint=hint)
        self.file = file
        self.line = line


class SourceError(ProjectError):
    pass


class DataError(ProjectError):
    pass


class Refused(ProjectError):
    pass


class EnvironmentFailed(MlprojError):
    """`output` is the end of what a tool said before it failed: lines to show before the message."""

    exit_code = 4

    def __init__(self, message: str, *, hint: str | None = None, output: str = "") -> None:
        super().__init__(message, hint=hint)
        self.output = output


class NotSupportedYet(EnvironmentFailed):
    pass


class StoreError(MlprojError):
    exit_code = 5


class NotFound(StoreError):
    pass


class RunNotFound(NotFound):
    pass


class AlreadyThere(StoreError):
    pass


class NotAllowed(StoreError):
    pass


class NotTaken(StoreError):
    pass


class Busy(StoreError):
    pass


class Unanswered(Busy):
    pass


class NoRoom(StoreError):
    pass


class OutputError(MlprojError):
    exit_code = 5


class NotReproduced(MlprojError):
    exit_code = 6


class NotPromoted(MlprojError):
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
    """The hint "did you mean `x`?" for the candidate nearest to `word`, or None if none is near.

    Nobody mistypes a word of very many characters, and looking for it would take very long.
    """
    if len(word) > _LONGEST_WORD:
        return None
    known = itertools.islice((name for name in candidates if len(name) <= _LONGEST_WORD), _MOST_CANDIDATES)
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean `{near[0]}`?" if near else None


def unreachable(value: NoReturn) -> NoReturn:
    """Ends a `match` over a closed union, so that a forgotten case fails type checking."""
    raise AssertionError(f"unhandled case: {value!r}")
