"""The seam of lineage and reuse: what a store tells of content, plans and models without a look at every run.

The rest of a store's seam is in `ports`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol

import msgspec

from mlproj.model.digest import Digest
from mlproj.model.registry import ModelVersion
from mlproj.model.run import Run
from mlproj.model.tracking import LoggedModel

MOST_FILES = 10_000
"""Of a folder with more files it is not known, by the content of one of them, who read or left it."""


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """That a run read or left some content at `path`, as it is recorded. `folder` is the one that it was in,
    where the record names only that."""

    run_id: str
    path: str
    folder: Digest | None = None


class Uses(msgspec.Struct, frozen=True, kw_only=True):
    """Who used something: those that began last first, and how many `more` runs there are."""

    uses: tuple[Use, ...] = ()
    more: int = 0


class Contents(Protocol):
    """Which runs read or left which content. Hidden runs count, those that were forgotten do not."""

    def makers(self, digest: Digest, most: int) -> Uses:
        """Runs that left the content, of which `most` are told."""
        ...

    def readers(self, digest: Digest, most: int) -> Uses:
        """Runs that were given it, or read it undeclared."""
        ...

    def beginning(self, digits: str) -> tuple[Digest, ...]:
        """Digests whose hex digits begin so, a few at most, of what runs read or left."""
        ...

    def files(self, folder: Digest) -> tuple[tuple[bytes, Digest], ...]:
        """The files (path and content) in a folder that a run read or left; none where nobody knows them."""
        ...

    def add_folder(self, manifest: bytes) -> None:
        """Has the files of a folder found by their content, unless they are more than `MOST_FILES`. Raises
        NotTaken for a list that is not as mlproj writes it."""
        ...

    def folders(self) -> Iterator[tuple[Digest, bytes]]:
        """Every folder whose files are known, with the lines that its digest has to be of."""
        ...

    def runs(self, run_ids: Collection[str]) -> tuple[Run, ...]:
        """Runs by their ids, whole; one whose record cannot be read by its row alone."""
        ...

    def planned(self, plan: Digest) -> tuple[str, ...]:
        """The ids of finished runs of that plan that are not hidden, those that began last first."""
        ...

    def like(self, project: str, entry_point: str, most: int) -> tuple[str, ...]:
        """The same of an entry point."""
        ...

    def model(self, model_id: str) -> LoggedModel | None:
        """A logged model."""
        ...

    def version(self, name: str, version: str) -> ModelVersion | None:
        """A version of a registered model, by its number, `latest`, a stage, or `@` and an alias."""
        ...

    def versions(self, model_id: str) -> tuple[ModelVersion, ...]:
        """The versions that were registered of a logged model."""
        ...

    def model_readers(self, model_id: str, most: int) -> Uses:
        """Runs that said that they read a logged model."""
        ...

    def dataset_readers(self, digest: str, most: int) -> Uses:
        """Runs that logged a dataset with that digest, which is MLflow's; the path of each is its name."""
        ...
