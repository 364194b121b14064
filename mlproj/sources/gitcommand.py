"""Git as the sources call it: no prompts, no hooks, and its complaints as one sentence."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from mlproj.errors import SourceError
from mlproj.model.events import Progress, Report, ToolOutput, silent
from mlproj.model.redaction import without_credentials
from mlproj.process import GIT_ENVIRONMENT, Completed, ProgramMissing, run

_SAFE = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "protocol.ext.allow=never"),
    *("-c", "advice.detachedHead=false"),
    *("-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false"),
    *("-c", "safe.directory=*"),
    *("-c", "safe.bareRepository=all"),
)
_PROGRESS = re.compile(
    r"(?P<what>Receiving|Resolving|Updating) (?P<unit>\w+):\s+\d+% \((?P<done>\d+)/(?P<total>\d+)\)"
)
_OTHER_PROGRESS = re.compile(r"^(remote: )?(Enumerating|Counting|Compressing|Receiving|Resolving|Total)\b")


class Git(msgspec.Struct, frozen=True, kw_only=True):
    """Calls git with a patch of environment variables that the calls share (credentials, say)."""

    report: Report
    patch: Mapping[str, str | None] = msgspec.field(default_factory=dict)

    def __call__(self, *arguments: str, directory: Path | None = None) -> Completed:
        """Runs `git ...` to its end, its progress reported; the exit code is the caller's to look at."""
        return self._run(arguments, directory, self._tell)

    def ask(self, *arguments: str, directory: Path | None = None) -> str | None:
        """What `git ...` prints, or None where it fails; nothing is reported."""
        done = self._run(arguments, directory, None)
        return done.text if done.code == 0 else None

    def must(self, what: str, *arguments: str, directory: Path | None = None) -> Completed:
        """As calling, but raises SourceError ("cannot `what`: ...") where git fails."""
        done = self(*arguments, directory=directory)
        if done.code != 0:
            raise failure(what, done)
        return done

    def _run(
        self, arguments: Sequence[str], directory: Path | None, tell: Callable[[str], None] | None
    ) -> Completed:
        environ = {**GIT_ENVIRONMENT, "GIT_NO_LAZY_FETCH": None, **self.patch}
        try:
            return run(("git", *_SAFE, *arguments), directory=directory, patch=environ, on_line=tell)
        except ProgramMissing as error:
            raise SourceError(
                "`git` is not installed, and this project has to be fetched with it",
                hint="install git, or give a folder or a `.zip`",
            ) from error

    def _tell(self, line: str) -> None:
        if match := _PROGRESS.search(line):
            self.report(
                Progress(
                    stage="clone", done=int(match["done"]), total=int(match["total"]), unit=match["unit"]
                )
            )
        elif line.strip() and not _OTHER_PROGRESS.match(line):
            self.report(ToolOutput(stage="clone", line=without_credentials(line)))


def quiet_environment(*, ssh: bool) -> dict[str, str | None]:
    """The patch that keeps git and ssh from asking a person; the user's own helpers stay in use."""
    patch: dict[str, str | None] = {}
    if "GIT_ASKPASS" not in os.environ:
        patch["GIT_ASKPASS"] = ""
    if ssh and not os.environ.keys() & {"GIT_SSH_COMMAND", "GIT_SSH"}:
        # Asked from the top, where no repository is: the caller's may be anybody's, and this is a command.
        top = Path(os.path.abspath(os.sep))
        own = Git(report=silent).ask("config", "--get", "core.sshCommand", directory=top)
        patch["GIT_SSH_COMMAND"] = f"{own or 'ssh'} -o BatchMode=yes"
    return patch


def check_revision(revision: str) -> str:
    """The revision itself. Raises SourceError for a text that git could take for something else."""
    if revision.startswith("-") or re.search(r"[\s:\x00-\x1f\x7f]|\.\.", revision):
        raise SourceError(
            f"`{revision}` cannot be a revision", hint="give a branch, a tag or a commit, as in `-v main`"
        )
    return revision


def failure(what: str, done: Completed) -> SourceError:
    """The error for a git command that failed: git's own last word, and what to do about it."""
    word = without_credentials(last_word(done))
    return SourceError(f"cannot {what}: {word}", hint=_hint(done.complaint))


def last_word(done: Completed) -> str:
    """The line of git's complaint that says most: the last fatal one, else the last one."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", done.complaint) if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:"))]
    # "Could not read from remote repository" follows on what ssh or the server had said
    if telling and telling[-1].startswith("fatal: Could not read from remote") and len(lines) > 1:
        before = lines[: lines.index(telling[-1])]
        telling = before[-1:] or telling
    word = (telling or lines or [f"git ended with code {done.code}"])[-1]
    return re.sub(r"^(fatal|error): ", "", word).rstrip(".")


_HINTS = (
    (
        r"could not read (Username|Password)|Authentication failed|Permission denied|returned error: 40[13]"
        r"|terminal prompts disabled|Host key verification|Access denied",
        "check that you may read it: a credential helper, an ssh key in the agent, or a token in the URL",
    ),
    (
        r"Could not resolve|Failed to connect|Connection refused|timed out|unreachable|Connection reset",
        "check the address and the network",
    ),
    (
        r"not found|does not appear to be a git repository|does not exist|returned error: 404",
        "check the address; a private repository looks like a missing one to those who may not read it",
    ),
    (r"No space left", "make room on the disk, or set `MLPROJ_CACHE_DIR` to another one"),
    (r"transport '.*' not allowed", "use https, ssh or a file path"),
)


def _hint(complaint: str) -> str | None:
    return next((hint for pattern, hint in _HINTS if re.search(pattern, complaint, re.IGNORECASE)), None)
