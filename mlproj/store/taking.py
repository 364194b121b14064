"""What a store takes in, and with which sentence it refuses the rest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from mlproj.errors import NotTaken
from mlproj.model.arrivals import refuse_odd_list, refuse_odd_outputs
from mlproj.model.record import BlobReference, blobs_of
from mlproj.model.run import Run
from mlproj.store_ports import BlobStore


@contextlib.contextmanager
def recordable(run: Run) -> Iterator[None]:
    """Turns what JSON or the database cannot hold into a sentence."""
    try:
        yield
    except (ValueError, OverflowError) as error:
        raise NotTaken(f"run `{run.run_id}` cannot be recorded: {error}") from error


def refuse_missing(blobs: BlobStore, run: Run) -> None:
    """A record names a blob only once it is there."""
    lost = () if run.outcome is None else run.outcome.lost
    for reference in blobs_of(run):
        if reference.digest not in blobs and reference.digest not in lost:
            raise NotTaken(
                f"run `{run.run_id}` cannot be sealed: the store does not hold its `{reference.part}`"
            )


def refuse_odd_files(blobs: BlobStore, run: Run) -> None:
    """Raises ValueError for a record from elsewhere that names files as no runner of ours does: nothing
    would be searched of them as it is verified, and nobody could ask for them."""
    outcome = run.outcome
    refuse_odd_outputs(() if outcome is None else outcome.outputs)
    lost = () if outcome is None else outcome.lost
    refuse_odd_lists(blobs, (each for each in blobs_of(run) if each.digest not in lost))


def refuse_odd_lists(blobs: BlobStore, references: Iterable[BlobReference]) -> None:
    """As `refuse_odd_files`, of the lists of files alone."""
    for reference in references:
        if reference.manifest and reference.digest in blobs:
            refuse_odd_list(reference, blobs.path(reference.digest).read_bytes())
