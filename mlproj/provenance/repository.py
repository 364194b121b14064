"""What git knows of a working tree, asked without writing anything into the repository."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from mlproj.model.events import Note, Report
from mlproj.model.redaction import without_credentials
from mlproj.model.source import Checkout
from mlproj.process import GIT_ENVIRONMENT, Completed, ProgramMissing, run

_QUIET = (
    "--no-optional-locks",
    *("-c", "safe.directory=*"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
)
_STATUS = (
    *("status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--no-renames"),
    *("--no-ahead-behind", "--ignore-submodules=dirty"),
)
_ENTRY_FIELDS = {b"1": 8, b"u": 10}
"""How many fields of `status` come before the path."""
_GITLINK = b"160000"
_PROGRAMS = (".clean", ".smudge", ".process")


class GitFailed(Exception):
    """Git cannot tell; `str()` is its complaint."""


class WorkTree(msgspec.Struct, frozen=True, kw_only=True):
    """A repository's working tree: `root` is its top, `settings` are arguments that each call of git gets."""

    root: Path
    settings: tuple[str, ...] = ()

    def ask(self, *arguments: str, directory: Path | None = None) -> Completed:
        return _git(*self.settings, *arguments, directory=directory or self.root)


@dataclass(slots=True, kw_only=True)
class Listing:
    """One repository's files and state. Paths are relative to its root.

    `links` are submodules with the commit that the index names for them; an untracked nested repository
    stands in `nested`. `deleted` are in the index, and not in the tree.
    """

    commit: str | None = None
    branch: str | None = None
    tracked: list[bytes] = field(default_factory=list)
    untracked: list[bytes] = field(default_factory=list)
    nested: list[bytes] = field(default_factory=list)
    links: dict[bytes, str] = field(default_factory=dict)
    changed: list[bytes] = field(default_factory=list)
    deleted: set[bytes] = field(default_factory=set)


def find_work_tree(checkout: Checkout, report: Report) -> WorkTree | None:
    """The working tree that the project lies in, or None where git has nothing to say of it.

    A repository that git cannot read, or cannot be asked about for lack of git, is told as a Note.
    """
    marked = _marked(checkout)
    if marked is None:
        return None
    try:
        ceiling = os.path.realpath(checkout.root.parent) if checkout.own else None
        done = _git("rev-parse", "--show-toplevel", directory=checkout.directory, ceiling=ceiling)
        if done.code != 0:
            raise GitFailed(done.complaint.partition("\n")[0].removeprefix("fatal: "))
        if not os.path.lexists(Path(done.text, ".git")):
            raise GitFailed(f"its settings put its work tree elsewhere, at `{done.text}`")
        return work_tree(Path(done.text))
    except (GitFailed, ProgramMissing) as error:
        reason = without_credentials(str(error))
        report(
            Note(message=f"no commit is recorded: the repository at `{marked}` is not looked at: {reason}")
        )
        return None


def work_tree(root: Path) -> WorkTree:
    """The tree at `root`. In one that another user owns, programs that its settings name are not run."""
    owner = os.lstat(root / ".git").st_uid
    if owner in (os.geteuid(), int(os.environ.get("SUDO_UID") or -1)):
        return WorkTree(root=root)
    done = _git("config", "-z", "--name-only", "--get-regexp", r"^filter\.", directory=root)
    keys = [key for key in done.text.split("\0") if key.endswith(_PROGRAMS)]
    disabled = [part for key in keys for part in ("-c", f"{key}=")]
    required = {f"{key.rpartition('.')[0]}.required=false" for key in keys}
    return WorkTree(root=root, settings=(*disabled, *(part for key in required for part in ("-c", key))))


def read_listing(tree: WorkTree) -> Listing:
    """Status and files in two calls of git. Raises GitFailed."""
    listing, complete = begin_listing(tree)
    complete()
    return listing


def begin_listing(tree: WorkTree) -> tuple[Listing, Callable[[], None]]:
    """What is in the index, at once, and a function that waits for the rest: `git status` takes five times
    as long, and goes on meanwhile. Both raise GitFailed."""
    listing = Listing()
    answers: list[Completed | ProgramMissing] = []

    def ask() -> None:
        try:
            answers.append(tree.ask(*_STATUS))
        except ProgramMissing as error:
            answers.append(error)

    def complete() -> None:
        asking.join()
        [answer] = answers
        if isinstance(answer, ProgramMissing):
            raise answer
        _read_status(_checked(answer), listing)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    _read_files(_checked(tree.ask("ls-files", "--stage", "-z")), listing)
    return listing, complete


def is_ignored(tree: WorkTree, directory: Path) -> bool:
    return tree.ask("check-ignore", "--quiet", "--", ".", directory=directory).code == 0


def read_remote(tree: WorkTree, branch: str | None) -> str | None:
    """The address of the branch's remote, else of `origin`, else of the first; without credentials."""
    pattern = r"^(remote\..*\.url|branch\..*\.remote)$"
    settings = [
        entry.partition("\n")[::2]
        for entry in tree.ask("config", "-z", "--get-regexp", pattern).text.split("\0")
        if entry
    ]
    urls: dict[str, str] = {}
    for key, value in settings:
        if key.startswith("remote."):
            urls.setdefault(key[len("remote.") : -len(".url")], value)
    wanted = dict(settings).get(f"branch.{branch}.remote", "origin")
    url = urls.get(wanted) or urls.get("origin") or next(iter(urls.values()), None)
    return None if url is None else without_credentials(url)


def _marked(checkout: Checkout) -> Path | None:
    """The nearest folder upward that holds `.git`; found without starting git, which many need not."""
    directory = Path(os.path.realpath(checkout.directory))
    top = Path(os.path.realpath(checkout.root)) if checkout.own else None
    for folder in (directory, *directory.parents):
        if os.path.lexists(folder / ".git"):
            return folder
        if folder == top:
            break
    return None


def _git(*arguments: str, directory: Path, ceiling: str | None = None) -> Completed:
    patch = GIT_ENVIRONMENT if ceiling is None else {**GIT_ENVIRONMENT, "GIT_CEILING_DIRECTORIES": ceiling}
    return run(("git", *_QUIET, *arguments), directory=directory, patch=patch)


def _checked(done: Completed) -> bytes:
    if done.code != 0:
        raise GitFailed(done.complaint.rpartition("\n")[2].removeprefix("fatal: "))
    return done.stdout


def _read_status(output: bytes, listing: Listing) -> None:
    for entry in output.split(b"\0"):
        kind = entry[:1]
        if kind == b"?":
            path = entry[2:]
            if path.endswith(b"/"):
                listing.nested.append(path[:-1])
            else:
                listing.untracked.append(path)
        elif kind in _ENTRY_FIELDS:
            fields = entry.split(b" ", _ENTRY_FIELDS[kind])
            listing.changed.append(fields[-1])
            if fields[1][1:2] == b"D":
                listing.deleted.add(fields[-1])
        elif entry.startswith(b"# branch.oid "):
            commit = entry[13:].decode()
            listing.commit = None if commit == "(initial)" else commit
        elif entry.startswith(b"# branch.head "):
            branch = entry[14:].decode("utf-8", "backslashreplace")
            listing.branch = None if branch == "(detached)" else branch


def _read_files(output: bytes, listing: Listing) -> None:
    entries = output.split(b"\0")[:-1]
    # In a merge a path stands there once for each stage.
    paths = dict.fromkeys([entry.partition(b"\t")[2] for entry in entries])
    for entry in entries:
        if entry.startswith(_GITLINK):
            head, _, path = entry.partition(b"\t")
            listing.links[path] = head.split(b" ")[1].decode()
            paths.pop(path, None)
    listing.tracked.extend(paths)
