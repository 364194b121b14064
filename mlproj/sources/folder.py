"""A project in a folder of this machine, run where it is; at a revision, in a checkout of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from mlproj.errors import SourceError
from mlproj.model.events import Report
from mlproj.model.source import Checkout
from mlproj.sources.borrow import borrowed_checkout, find_repository
from mlproj.sources.tree import temporary_tree
from mlproj.sources.uri import FolderAddress, enter, read_uri, shown


class FolderSource:
    """`checkouts` is the folder in which trees of our own are made."""

    def __init__(self, checkouts: Path) -> None:
        self._checkouts = checkouts

    def accepts(self, uri: str) -> bool:
        return isinstance(read_uri(uri), FolderAddress)

    @contextlib.contextmanager
    def fetch(self, uri: str, revision: str | None, report: Report) -> Iterator[Checkout]:
        """The folder itself; with a revision a checkout of the repository that it lies in.

        Raises SourceError where there is no such folder, or no such revision of it.
        """
        address = read_uri(uri)
        assert isinstance(address, FolderAddress)
        _check(address, uri)
        directory = enter(address.path, address)
        if not revision:
            yield Checkout(directory=directory, root=address.path, uri=shown(address))
            return
        repository = find_repository(directory)
        if repository is None:
            raise SourceError(
                f"revision `{revision}` was asked for, and `{directory}` is not in a git repository",
                hint="leave the revision out, or give a git repository",
            )
        with temporary_tree(self._checkouts) as tree:
            borrowed_checkout(repository, revision, tree, report)
            project = tree / repository.prefix
            if not project.is_dir() or not project.resolve().is_relative_to(tree.resolve()):
                raise SourceError(f"there is no folder `{repository.prefix}` at revision `{revision}`")
            yield Checkout(directory=project, root=tree, uri=shown(address), revision=revision, own=True)


def _check(address: FolderAddress, uri: str) -> None:
    if address.path.is_dir():
        return
    if address.path.exists():
        raise SourceError(
            f"`{uri}` is a file, not a project's folder",
            hint=f"give the folder that holds it: `{address.path.parent}`",
        )
    raise SourceError(
        f"there is no project at `{uri}`: no folder `{address.path}`",
        hint="give a folder, a git URL (`https://…`, `git@host:path`) or a `.zip`",
    )
