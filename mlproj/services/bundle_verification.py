"""Checks a bundle from its first byte to its last, and names what is not as it was when it was written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec.structs import replace

from mlproj.errors import Altered, UsageError
from mlproj.exports.dsse import Verifier
from mlproj.model.bundle import ATTESTATIONS, RECORD
from mlproj.model.events import Ended, Report, Started, silent
from mlproj.services.attestation import check_envelope
from mlproj.services.bundle_contents import Contents, read_contents
from mlproj.services.bundle_meaning import Meaning, read_meaning
from mlproj.services.signatures import Signed
from mlproj.settings import Limits


class BundleProblem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it was written: in which file of the bundle, or in the zip as a whole."""

    part: str
    message: str


class BundleVerification(msgspec.Struct, frozen=True, kw_only=True):
    """What was checked of a bundle and what was found; `run_id` is None where not even that can be told."""

    run_id: str | None
    run_name: str | None
    files: int
    size: int
    problems: tuple[BundleProblem, ...]
    attestations: tuple[tuple[Signed, ...], ...] = ()
    """Of each attestation of the run that is in it: who signed."""

    @property
    def sound(self) -> bool:
        return not self.problems


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle whose every byte was checked: its files, and what they mean."""

    contents: Contents
    meaning: Meaning


def verify_bundle(
    path: Path, limits: Limits, report: Report = silent, keys: Sequence[Verifier] = ()
) -> BundleVerification:
    """Checks the bundle at `path`, and what is signed in it by `keys` as far as there are such. Raises
    UsageError where there is no file that can be read."""
    with _opened(path) as file:
        found = _Checked(file, limits, report, keys)
        run = None if found.meaning is None else found.meaning.run
        return BundleVerification(
            run_id=None if run is None else run.run_id,
            run_name=None if run is None else run.name,
            files=0 if found.contents is None else len(found.contents.digests) + 1,
            size=path.stat().st_size,
            problems=tuple(found.problems),
            attestations=tuple(found.signatures),
        )


@contextlib.contextmanager
def open_bundle(path: Path, limits: Limits, report: Report = silent) -> Iterator[Bundle]:
    """The bundle at `path`, checked whole. Raises Altered where anything is not as it was written, and
    UsageError where there is no file that can be read."""
    with _opened(path) as file:
        found = _Checked(file, limits, report)
        if found.problems or found.contents is None or found.meaning is None:
            first, more = found.problems[0], len(found.problems) - 1
            counted = f", and {more} more" if more else ""
            raise Altered(
                f"`{path}` is no bundle that can be trusted: {first.part}: {first.message}{counted}",
                hint="`mlproj verify` of it tells all that is wrong",
            )
        yield Bundle(contents=found.contents, meaning=found.meaning)


def is_bundle(path: Path) -> bool:
    """Whether a person who names `path` means a bundle rather than a run, which may have a file's name."""
    if path.suffix.lower() == ".zip":
        return True
    with contextlib.suppress(OSError, ValueError):
        if path.is_file():  # opening a pipe would wait for somebody to write into it
            with path.open("rb") as file:
                return file.read(2) == b"PK"
    return False


class _Checked:
    """What one walk over a bundle found."""

    def __init__(self, file: BinaryIO, limits: Limits, report: Report, keys: Sequence[Verifier] = ()) -> None:
        self.signatures: list[tuple[Signed, ...]] = []
        self.problems: list[BundleProblem] = []
        self.contents: Contents | None = None
        self.meaning: Meaning | None = None
        report(Started(stage="verify"))
        try:
            self.contents = read_contents(file, limits, report, self._tell)
            if not self.problems:
                self.meaning = read_meaning(self.contents, self._tell)
            if self.meaning is not None and not self.problems:
                self._check_attestations(self.contents, self.meaning, keys)
        except Altered as error:
            self._tell("zip", error.message)
        report(Ended(stage="verify"))

    def _check_attestations(self, contents: Contents, meaning: Meaning, keys: Sequence[Verifier]) -> None:
        sealed = replace(meaning.run, record=contents.digests[RECORD])
        for place in meaning.layout.places:
            if not place.path.startswith(ATTESTATIONS):
                continue
            try:
                attestation = check_envelope(contents.document(place.path), keys)
            except Altered as error:
                self._tell(place.path, f"the attestation cannot be trusted: {error.message}")
                continue
            if not attestation.fits(sealed):
                self._tell(place.path, "the attestation does not say what the record says")
            self.signatures.append(attestation.signatures)

    def _tell(self, part: str, message: str) -> None:
        self.problems.append(BundleProblem(part=part, message=message))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if not path.is_file():
        raise UsageError(f"there is no file `{path}`")
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {error.strerror}") from error
    with file:
        yield file
