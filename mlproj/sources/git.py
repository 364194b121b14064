"""A project in a git repository elsewhere, of which as little is fetched as will do."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from mlproj.errors import SourceError, did_you_mean
from mlproj.model.events import Ended, Report, Started
from mlproj.model.redaction import without_credentials
from mlproj.model.source import Checkout
from mlproj.sources.borrow import borrowed_checkout, find_repository
from mlproj.sources.gitcommand import Git, check_revision, failure, quiet_environment
from mlproj.sources.tree import temporary_tree
from mlproj.sources.uri import GitAddress, enter, read_uri, shown

_BRANCHES = "+refs/heads/*:refs/remotes/origin/*"
_TOKEN_LENGTH = 20
"""A user name of at least this length, without a password, is taken for an access token."""


class GitSource:
    """`checkouts` is the folder in which trees are made."""

    def __init__(self, checkouts: Path) -> None:
        self._checkouts = checkouts

    def accepts(self, uri: str) -> bool:
        return isinstance(read_uri(uri), GitAddress)

    @contextlib.contextmanager
    def fetch(self, uri: str, revision: str | None, report: Report) -> Iterator[Checkout]:
        """The repository's tree at `revision` (branch, tag, commit; None for the remote's HEAD).

        Submodules are filled in. Raises SourceError with git's own word where that fails.
        """
        address = read_uri(uri)
        assert isinstance(address, GitAddress)
        with temporary_tree(self._checkouts) as tree:
            _fill(address, revision or None, tree, report)
            directory = enter(tree, address)
            yield Checkout(
                directory=directory, root=tree, uri=shown(address), revision=revision or None, own=True
            )


def _fill(address: GitAddress, revision: str | None, tree: Path, report: Report) -> None:
    if address.path is not None:
        repository = find_repository(address.path)
        if repository is None:
            raise SourceError(f"`{address.path}` looks like a git repository, and git cannot read it")
        borrowed_checkout(repository, revision, tree, report)
        return
    url, credentials = _take_credentials(_check_url(address.url))
    report(Started(stage="clone", detail=without_credentials(url)))
    ssh = not url.lower().startswith(("http://", "https://", "git://"))
    git = Git(report=report, patch={**quiet_environment(ssh=ssh), **credentials})
    if revision is None:
        _clone(git, url, tree)
    else:
        _fetch_revision(git, url, check_revision(revision), tree)
    if (tree / ".gitmodules").is_file():
        git.must(
            f"fetch the submodules of `{without_credentials(url)}`",
            *("submodule", "update", "--init", "--recursive", "--progress"),
            directory=tree,
        )
    report(Ended(stage="clone", detail=(git.ask("rev-parse", "HEAD", directory=tree) or "")[:12]))


def _check_url(url: str) -> str:
    if url.startswith("-") or "::" in url.partition("/")[0]:
        raise SourceError(
            f"`{without_credentials(url)}` is not a git URL that mlproj fetches from",
            hint="give `https://…`, `ssh://…`, `git@host:path` or a path",
        )
    return url


def _take_credentials(url: str) -> tuple[str, dict[str, str | None]]:
    """The URL without its credentials, and the patch that hands them to git for that host alone.

    They stand neither in an argument, which every user of the machine can read, nor in the clone's settings.
    """
    if (
        not url.lower().startswith(("http://", "https://"))
        or "@" not in url.partition("://")[2].partition("/")[0]
    ):
        return url, {}
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    name, colon, password = user.partition(":")
    origin = f"{parts.scheme}://{place}/"
    if colon or len(name) >= _TOKEN_LENGTH:
        pair = f"{unquote(name)}:{unquote(password)}".encode()
        setting = (f"http.{origin}.extraHeader", f"Authorization: Basic {base64.b64encode(pair).decode()}")
    else:
        setting = (f"credential.{origin}.username", unquote(name))
    return urlunsplit(parts._replace(netloc=place)), _one_more_setting(*setting)


def _one_more_setting(key: str, value: str) -> dict[str, str | None]:
    """The patch that adds a setting of git's to those that the caller's environment may hold."""
    given = os.environ.get("GIT_CONFIG_COUNT", "")
    count = int(given) if given.isdecimal() else 0
    return {
        "GIT_CONFIG_COUNT": str(count + 1),
        f"GIT_CONFIG_KEY_{count}": key,
        f"GIT_CONFIG_VALUE_{count}": value,
    }


def _clone(git: Git, url: str, tree: Path) -> None:
    what = f"clone `{without_credentials(url)}`"
    clone = ("clone", "--progress", "--template=", "--no-tags")
    done = git(*clone, "--depth=1", "--", url, str(tree))
    if done.code != 0 and _cannot_be_shallow(done.complaint):
        done = git(*clone, "--", url, str(tree))
    if done.code != 0:
        raise failure(what, done)
    if git.ask("rev-parse", "--verify", "--quiet", "HEAD", directory=tree) is None:
        raise SourceError(f"cannot {what}: it holds no commits, or its HEAD names no branch")


def _fetch_revision(git: Git, url: str, revision: str, tree: Path) -> None:
    """The revision alone where the server gives it so, else all branches and tags, and then the revision."""
    what = f"fetch `{revision}` of `{without_credentials(url)}`"
    git.must(what, "init", "--quiet", "--template=", ".", directory=tree)
    git.must(what, "remote", "add", "--", "origin", url, directory=tree)
    single = git("fetch", "--progress", "--depth=1", "--no-tags", "--", "origin", revision, directory=tree)
    if single.code == 0:
        _check_out(git, tree, what, "FETCH_HEAD", _fetched_branch(tree))
        return
    everything = git("fetch", "--progress", "--tags", "--", "origin", _BRANCHES, directory=tree)
    if everything.code != 0:
        raise failure(what, everything)
    for name in (f"refs/remotes/origin/{revision}", revision):
        found = git.ask("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", directory=tree)
        if found is not None:
            _check_out(git, tree, what, found, revision if name != revision else None)
            return
    names = git.ask("for-each-ref", "--format=%(refname:lstrip=-1)", directory=tree) or ""
    raise SourceError(
        f"`{revision}` is no branch, tag or commit of `{without_credentials(url)}`",
        hint=did_you_mean(revision, names.split()),
    )


def _check_out(git: Git, tree: Path, what: str, commit: str, branch: str | None) -> None:
    where = ("--detach",) if branch is None else ("-B", branch)
    git.must(what, "checkout", "--quiet", "--force", *where, commit, directory=tree)


def _fetched_branch(tree: Path) -> str | None:
    """The branch that was fetched, as git noted it, or None for a tag or a commit."""
    note = (tree / ".git" / "FETCH_HEAD").read_text("utf-8", "surrogateescape")
    _, opening, rest = note.partition("\tbranch '")
    return rest.partition("' of ")[0] if opening else None


def _cannot_be_shallow(complaint: str) -> bool:
    return "shallow" in complaint
