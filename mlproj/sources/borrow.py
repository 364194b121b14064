"""A checkout of a repository on this machine that leaves it alone: its objects are read where they lie.

No clone is made and no server side of git runs, so nothing is written into the repository, not even a link
count, and one that another user owns works too.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
from msgspec.structs import replace

from mlproj.errors import SourceError, did_you_mean
from mlproj.model.events import Ended, Report, Started, silent
from mlproj.model.redaction import without_credentials
from mlproj.sources.gitcommand import Git, check_revision, quiet_environment

_BRANCH = "refs/heads/"
_GITLINK = "160000"


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """A repository of this machine: `folder` lies in its work tree, or is the bare repository.

    `git_dir` holds its objects and submodules, `top` is its work tree (None for a bare one), `prefix` the
    folder's path from there.
    """

    folder: Path
    git_dir: Path
    top: Path | None
    prefix: str
    object_format: str


def find_repository(folder: Path) -> Repository | None:
    """The repository that `folder` lies in, or None."""
    answer = _git(silent).ask(
        "rev-parse", "--git-common-dir", "--show-object-format", "--is-bare-repository", directory=folder
    )
    if answer is None:
        return None
    git_dir, object_format, bare = answer.rsplit("\n", 2)
    top, prefix = None, ""
    if bare == "false":
        place = _git(silent).ask("rev-parse", "--show-toplevel", "--show-prefix", directory=folder)
        text, _, prefix = (place or str(folder)).partition("\n")
        top = Path(text)
    return Repository(
        folder=folder,
        git_dir=(folder / git_dir).resolve(),
        top=top,
        prefix=prefix.rstrip("/"),
        object_format=object_format,
    )


def borrowed_checkout(repository: Repository, revision: str | None, tree: Path, report: Report) -> None:
    """Checks `revision` (None for HEAD) of the repository out into the empty folder `tree`.

    Raises SourceError where there is no such revision, or a submodule cannot be had.
    """
    report(Started(stage="checkout", detail=str(repository.folder)))
    git = _git(report)
    commit, branch = _resolve(git, repository, revision)
    _attach(git, repository, tree)
    _copy_remotes(git, repository, tree)
    _check_out(git, tree, commit, branch, what=f"`{revision or 'HEAD'}` of `{repository.folder}`")
    _submodules(git, repository, tree)
    report(Ended(stage="checkout", detail=commit[:12]))


def _git(report: Report) -> Git:
    return Git(report=report, patch=quiet_environment(ssh=False))


def _resolve(git: Git, repository: Repository, revision: str | None) -> tuple[str, str | None]:
    """The commit that is meant, and the branch where a branch was named."""
    wanted = check_revision(revision) if revision else "HEAD"
    for name in (wanted, f"refs/remotes/origin/{wanted}"):
        commit = git.ask(
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            f"{name}^{{commit}}",
            directory=repository.folder,
        )
        if commit is not None:
            full = git.ask("rev-parse", "--symbolic-full-name", name, directory=repository.folder) or ""
            full = full if revision else git.ask("symbolic-ref", "HEAD", directory=repository.folder) or ""
            return commit, full[len(_BRANCH) :] if full.startswith(_BRANCH) else None
    if revision is None:
        raise SourceError(f"`{repository.folder}` holds no commits yet")
    names = git.ask("for-each-ref", "--format=%(refname:short)", directory=repository.folder) or ""
    raise SourceError(
        f"`{revision}` is no branch, tag or commit of `{repository.folder}`",
        hint=did_you_mean(wanted, names.split()),
    )


def _attach(git: Git, repository: Repository, tree: Path) -> None:
    """An empty repository in `tree` that reads the objects of another."""
    git.must(
        f"make a checkout of `{repository.folder}`",
        *("init", "--quiet", "--template=", f"--object-format={repository.object_format}", "."),
        directory=tree,
    )
    information = tree / ".git" / "objects" / "info"
    information.mkdir(exist_ok=True)
    (information / "alternates").write_bytes(bytes(repository.git_dir / "objects") + b"\n")
    if (repository.git_dir / "shallow").is_file():
        shutil.copyfile(repository.git_dir / "shallow", tree / ".git" / "shallow")


def _copy_remotes(git: Git, repository: Repository, tree: Path) -> None:
    """The remotes' addresses, so that the record names them and submodules are found beside them."""
    remotes = git.ask("config", "-z", "--get-regexp", r"^remote\..*\.url$", directory=repository.folder) or ""
    for entry in remotes.split("\0"):
        key, _, url = entry.partition("\n")
        if url:
            git.ask("config", key, without_credentials(url), directory=tree)


def _check_out(git: Git, tree: Path, commit: str, branch: str | None, *, what: str) -> None:
    where = ("--detach",) if branch is None else ("-B", branch)
    git.must(f"check out {what}", "checkout", "--quiet", "--force", *where, commit, directory=tree)


def _submodules(git: Git, repository: Repository, tree: Path) -> None:
    """Fills the submodules in: borrowed from the repository where it has their commit, else fetched."""
    if not (tree / ".gitmodules").is_file():
        return
    names = _submodule_names(git, tree)
    for path, commit in _gitlinks(git, tree):
        if path not in names:
            continue
        lender = _lender(git, repository, names[path], path, commit)
        if lender is None:
            _fetch_submodule(git, repository, tree, path)
        else:
            (tree / path).mkdir(parents=True, exist_ok=True)
            _attach(git, lender, tree / path)
            _copy_remotes(git, lender, tree / path)
            _check_out(git, tree / path, commit, None, what=f"submodule `{path}`")
            _submodules(git, lender, tree / path)


def _submodule_names(git: Git, tree: Path) -> dict[str, str]:
    """Submodule names by path; a name that climbs out of git's folder for them is left out."""
    listed = git.ask(
        "config", "-z", "-f", ".gitmodules", "--get-regexp", r"^submodule\..*\.path$", directory=tree
    )
    names = {}
    for entry in (listed or "").split("\0"):
        key, _, path = entry.partition("\n")
        name = key[len("submodule.") : -len(".path")]
        if path and ".." not in name.split("/") and not name.startswith("/"):
            names[path] = name
    return names


def _gitlinks(git: Git, tree: Path) -> list[tuple[str, str]]:
    listed = git.ask("ls-files", "--stage", "-z", directory=tree) or ""
    links = []
    for line in listed.split("\0"):
        head, _, path = line.partition("\t")
        if head.startswith(_GITLINK):
            links.append((path, head.split()[1]))
    return links


def _lender(git: Git, repository: Repository, name: str, path: str, commit: str) -> Repository | None:
    """Where the repository keeps the submodule, if it has the commit."""
    places = [repository.git_dir / "modules" / name]
    if repository.top is not None:
        places.append(repository.top / path / ".git")
    for place in places:
        if (
            place.is_dir()
            and git.ask("--git-dir", str(place), "cat-file", "-e", f"{commit}^{{commit}}") is not None
        ):
            return Repository(
                folder=place,
                git_dir=place,
                top=None,
                prefix="",
                object_format=repository.object_format,
            )
    return None


def _fetch_submodule(git: Git, repository: Repository, tree: Path, path: str) -> None:
    beside: tuple[str, ...] = ()
    if git.ask("config", "remote.origin.url", directory=tree) is None:
        # a relative submodule URL is meant from the repository's own place then
        beside = ("-c", f"remote.origin.url={repository.top or repository.folder}")
    remote = replace(git, patch={**git.patch, **quiet_environment(ssh=True)})
    remote.must(
        f"fetch submodule `{path}`",
        *beside,
        *("submodule", "update", "--init", "--recursive", "--progress", "--", path),
        directory=tree,
    )
