"""Holds the outputs of two runs against each other by what they say, where their bytes differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from mlproj.compare.contents.choosing import compare_contents
from mlproj.compare.judgement import Judgement, Likeness, unknown
from mlproj.errors import Altered
from mlproj.model.digest import Digest, read_manifest, readable
from mlproj.model.run import Output, Run
from mlproj.model.tolerance import Allowed, Tolerance
from mlproj.store_ports import ReadableBlobs

LARGEST = 64 * 1024 * 1024
"""Of files with more bytes nobody looks into their content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedFile:
    """A file that both runs wrote, with other bytes: `path` is as the outputs are listed."""

    path: str
    judgement: Judgement


def judge_outputs(blobs: ReadableBlobs, before: Run, after: Run, allowed: Allowed) -> tuple[JudgedFile, ...]:
    """Every file among the outputs of both whose bytes differ, by the tolerance for its path. Raises Altered
    for a folder's list of files that is not what was recorded."""
    expected, found = _outputs(before), _outputs(after)
    return tuple(
        judged
        for name, output in expected.items()
        if name in found
        for judged in judge_output(blobs, output, found[name], allowed)
    )


def judge_output(
    blobs: ReadableBlobs, before: Output, after: Output, allowed: Allowed
) -> tuple[JudgedFile, ...]:
    """Every file of an output that two runs wrote whose bytes differ, by the tolerance that is `allowed` for
    its path; one of a folder that only one of them wrote differs as well. Raises Altered."""
    return tuple(
        JudgedFile(path=path, judgement=_judged(blobs, path, one, other, allowed(path)))
        for path, one, other in _differing(blobs, before, after)
    )


def _outputs(run: Run) -> Mapping[str, Output]:
    outputs = () if run.outcome is None else run.outcome.outputs
    return {output.path: output for output in outputs if output.digest is not None}


def _differing(
    blobs: ReadableBlobs, before: Output, after: Output
) -> Iterator[tuple[str, Digest | None, Digest | None]]:
    if before.digest is None or after.digest is None or before.digest == after.digest:
        return
    if before.kind != after.kind:
        return
    if before.kind == "file":
        yield before.path, before.digest, after.digest
        return
    files = [_files(blobs, output.digest, output.path) for output in (before, after) if output.digest]
    if not all(files):  # whose list of files is not held any more: nobody knows what is in it
        yield before.path, before.digest, after.digest
        return
    for name in dict.fromkeys((*files[0], *files[1])):
        if files[0].get(name) != files[1].get(name):
            yield f"{before.path}/{name}", files[0].get(name), files[1].get(name)


def _files(blobs: ReadableBlobs, manifest: Digest, path: str) -> Mapping[str, Digest]:
    if manifest not in blobs:
        return {}
    try:
        entries = read_manifest(blobs.path(manifest).read_bytes())
    except ValueError as error:
        raise Altered(
            f"the list of files of the output `{path}` is not what was recorded: {error}",
            hint="`mlproj verify` tells what else was altered",
        ) from error
    return {readable(name): digest for name, _, digest in entries}


def _judged(
    blobs: ReadableBlobs, path: str, before: Digest | None, after: Digest | None, tolerance: Tolerance
) -> Judgement:
    if before is None or after is None:
        only = "only the second run wrote it" if before is None else "only the first run wrote it"
        return Judgement(likeness=Likeness.DIFFERENT, notation="folder", why=only)
    if before not in blobs or after not in blobs:
        return unknown("bytes", "its content was not kept")
    places: list[Path] = [blobs.path(before), blobs.path(after)]
    if any(place.stat().st_size > LARGEST for place in places):
        return unknown("bytes", f"it has more than {LARGEST >> 20} MiB, and nobody looks into it")
    try:
        judged = compare_contents(path, places[0].read_bytes(), places[1].read_bytes(), tolerance)
    except Exception as error:  # a reader, ours or another's, that met what it was not made for
        return unknown("bytes", f"what reads it gave up: {type(error).__name__}")
    if judged.notation == "bytes" and judged.likeness is Likeness.SAME:
        raise Altered(f"the output `{path}` is not what was recorded", hint="`mlproj verify` tells more")
    # JSON can spell half of a character, which nobody can write down.
    return replace(judged, why=judged.why.encode("utf-8", "backslashreplace").decode())
