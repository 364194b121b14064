"""Resolves a specification into a lock with uv, or takes one that the author committed."""

from __future__ import annotations

import importlib
import re
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from mlproj.environments import uploads
from mlproj.environments.indexes import redacted
from mlproj.environments.paths import with_inner_paths_relative, with_moved_paths
from mlproj.environments.question import Question
from mlproj.environments.requirements import Requirements, read_requirements
from mlproj.environments.uv import Uv, tool_failure
from mlproj.errors import EnvironmentFailed
from mlproj.files import read_regular
from mlproj.model.environment import Interpreter, Lock
from mlproj.model.events import Note, Report, silent
from mlproj.model.redaction import without_credentials
from mlproj.process import Completed

PIPS = (
    "pip==25.3; python_version >= '3.9'",
    "pip==25.0.1; python_version == '3.8'",
    "pip==24.0; python_version == '3.7'",
    "pip==21.3.1; python_version < '3.7'",
)
"""The pip that goes with a `uv.lock`: other versions here make other environments of the same lock files."""

_ATTEMPTS = (("--offline",), (), ("--no-config",))
"""How pip is looked for: quickly, on the project's indexes, and without what a project says of all packages,
such as a day that they must not be newer than."""

_UNTOLD = re.compile(r"`([^`\s]+)` is missing an upload date")
_TOLD = ", published at "
"""What uv says of a package that came too late, which something has to have told it."""
_CONTRADICTION = re.compile(r"No solution found|incompatible|unsatisfiable|conflict", re.IGNORECASE)


def resolve(question: Question, uv: Uv | None, report: Report) -> Lock:
    """The lock of a specification, by uv or else by pip. Raises EnvironmentFailed in the tool's own words."""
    # Reading the lock takes a library that is slow to load; uv waits for the network in the meantime.
    threading.Thread(target=_reader, daemon=True).start()
    if question.spec.uv_lock is not None:
        return _exported(question, uv, report)
    spec = question.spec
    try:
        return _resolved(question, question.lines, uv, report)
    except EnvironmentFailed as error:
        if not (spec.build_dependencies and spec.dependencies and _CONTRADICTION.search(error.output)):
            raise
        # Installed in two steps, the later of two contradicting requirements has the say.
        asked = read_requirements(spec.dependencies, question.project, question.environ).names
        builders = tuple(line for line in spec.build_dependencies if not _names(line, question) & asked)
        if builders == spec.build_dependencies:
            raise
        lock = _resolved(question, (*builders, *spec.dependencies), uv, report)
        report(
            Note(message=f"build dependencies in `{question.where}` contradict the dependencies, which win")
        )
        return lock


def foretell(question: Question, uv: Uv) -> Lock | None:
    """What resolving will say if the index has nothing new since uv asked it last: nearly at once, out of
    uv's cache alone. None where that does not tell, or where packages would be built to tell.
    """
    requirements = question.requirements
    if question.spec.uv_lock is not None or requirements.local or requirements.addresses:
        return None
    wanted = (*requirements.lines, *seeds(requirements.names, question.python))
    done = _compile(question, wanted, ("--offline", "--no-build"), question.project, uv, silent)
    return _lock(question, done.stdout.decode()) if done.code == 0 else None


def read_committed(path: Path, python: Interpreter, project: Path) -> Lock:
    """The lock in a file that lies in the project. Raises ValueError where it cannot be used, and OSError."""
    return committed_lock(read_regular(path), python, path.parent, project)


def committed_lock(text: bytes, python: Interpreter, folder: Path, project: Path) -> Lock:
    """The packages of a lock file's text, whose paths are relative to `folder`. Raises ValueError."""
    moved = with_moved_paths(without_credentials(text.decode(errors="replace")), folder, project)
    packages = _reader().read_pylock(text, python, folder)
    return Lock(format="pylock", packages=packages, text=moved.encode())


def _seeds(question: Question, names: frozenset[str]) -> tuple[str, ...]:
    return seeds(names, question.python) if question.seeded else ()


def seeds(names: frozenset[str], python: Interpreter) -> tuple[str, ...]:
    """What every virtualenv holds besides what is asked for, so that its `pip` is its own.

    Below Python 3.12 a virtualenv has had setuptools, and old packages count on it, and on the
    `pkg_resources` that setuptools 81 has no more.
    """
    wanted = {"pip": "pip"}
    if tuple(map(int, python.version.split(".")[:2])) < (3, 12):
        wanted["setuptools"] = "setuptools<81"
    return tuple(line for name, line in wanted.items() if name not in names)


def _reader() -> ModuleType:
    return importlib.import_module("mlproj.environments.pylock")


def _names(line: str, question: Question) -> frozenset[str]:
    return read_requirements((line,), question.project, question.environ).names


def _resolved(question: Question, lines: Sequence[str], uv: Uv | None, report: Report) -> Lock:
    requirements = read_requirements(lines, question.project, question.environ)
    wanted = (*requirements.lines, *_seeds(question, requirements.names))
    if uv is None:
        text = importlib.import_module("mlproj.environments.pip").resolve_with_pip(wanted, question, report)
    else:
        text = _compiled(question, requirements, wanted, uv, report)
    if question.as_of is not None:
        _check_uploads(text, question.as_of, report, told=uv is not None)
    return _lock(question, text)


def _check_uploads(text: str, as_of: str, report: Report, *, told: bool) -> None:
    """`told` says that the lock holds upload times; pip, whose reports have none, has looked at them."""
    if told:
        uploads.check_uploads(text, as_of)
    for name in uploads.from_repositories(text):
        report(Note(message=f"`{name}` comes out of a repository: `--as-of` says nothing of its age"))


def _compiled(
    question: Question, requirements: Requirements, wanted: Sequence[str], uv: Uv, report: Report
) -> str:
    """uv's lock. The lines go in by standard input and the project's folder, where they are at home."""
    refresh = ["--refresh"] if question.refresh else []
    with tempfile.TemporaryDirectory(prefix="mlproj-") as folder:
        pinned = [] if question.pinned is None else ["--output-file", f"{folder}/pylock.toml"]
        if question.pinned is not None:
            # uv keeps the versions of a lock that it is to write anew.
            moved = with_moved_paths(question.pinned, question.project, Path(folder))
            Path(folder, "pylock.toml").write_text(moved, encoding="utf-8")
        done = _compile(question, wanted, [*refresh, *pinned], question.project, uv, report)
        text = done.stdout.decode()
        if pinned and done.code == 0:
            written = Path(folder, "pylock.toml").read_text(encoding="utf-8")
            text = with_moved_paths(written, Path(folder), question.project)
    if done.code != 0:
        words = redacted(done.complaint, question.environ, *wanted, *requirements.addresses)
        unknown = _UNTOLD.search(words)
        if unknown is not None and _TOLD not in words:
            raise uploads.untold(_distribution(unknown[1]))
        raise _failure(question, words.replace("`-`", f"`{question.where}`"))
    if question.as_of is not None:
        untold = dict.fromkeys(map(_distribution, _UNTOLD.findall(done.stderr.decode(errors="replace"))))
        if untold:
            names = ", ".join(f"`{name}`" for name in untold)
            report(Note(message=f"files without an upload time were passed over: of {names}"))
    # uv leaves paths as they are asked for, but for those of `file:`.
    return with_inner_paths_relative(text, question.project)


def _distribution(file: str) -> str:
    """What a wheel or an archive is of, by its name."""
    return re.split(r"-(?=\d)", file, maxsplit=1)[0]


def _compile(
    question: Question, lines: Sequence[str], more: Sequence[str], directory: Path, uv: Uv, report: Report
) -> Completed:
    options = ["--no-header", "--no-annotate", "--format", "pylock.toml"]
    # Of files without an upload time uv tells in warnings alone.
    options += ["--quiet"] if question.as_of is None else ["--exclude-newer", question.as_of]
    options += ["--python", str(question.python.executable), "--no-python-downloads"]
    return uv.run(
        ("pip", "compile", "-", *options, *question.settings.arguments, *question.arguments, *more),
        directory=directory,
        variables=dict((*question.settings.variables, *question.settings.resolving)),
        report=report,
        stage="resolve",
        stdin="".join(f"{line}\n" for line in lines).encode(),
    )


def _exported(question: Question, uv: Uv | None, report: Report) -> Lock:
    """The packages of a `uv.lock`, taken as it stands, with pip where it has none."""
    assert question.spec.uv_lock is not None
    if uv is None:
        raise EnvironmentFailed(
            f"`{question.spec.uv_lock}` can only be read with uv, which is not installed",
            hint="`pip install uv` installs it",
        )
    folder = (question.project / question.spec.uv_lock).parent
    options = ("--frozen", "--no-dev", "--no-emit-project", "--no-header", "--quiet", "--no-annotate")
    done = uv.run(
        ("export", *options, "--format", "pylock.toml", "--python", question.python.executable),
        directory=folder,
        variables={"UV_PYTHON_DOWNLOADS": "never"},
        report=report,
        stage="resolve",
        stdin=b"",
    )
    if done.code != 0:
        raise _failure(question, redacted(done.complaint, question.environ))
    text = with_moved_paths(done.stdout.decode(), folder, question.project)
    lock = _lock(question, text)
    if any(package.name == "pip" for package in lock.packages):
        return lock
    # An empty lock says so, and a list that was said to be empty cannot be added to.
    head = text.rstrip().removesuffix("packages = []").rstrip()
    return _lock(question, f"{head}\n\n{_pip(question, folder, uv, report)}")


def _pip(question: Question, folder: Path, uv: Uv, report: Report) -> str:
    """pip as one of the `[[packages]]` of a lock, for a `uv.lock` that has none: `pip` is not the caller's.

    Its version hangs on the Python alone, so that one `uv.lock` is the same lock on every day and machine.
    """
    for attempt in _ATTEMPTS:
        done = _compile(question, PIPS, ("--no-deps", *attempt), folder, uv, report)
        if done.code == 0:
            break
    if done.code != 0:
        words = redacted(done.complaint, question.environ)
        raise _failure(question, f"`{question.spec.uv_lock}` holds no pip, and none can be had:\n{words}")
    text = done.stdout.decode()
    return text[text.index("[[packages]]") :]


def _lock(question: Question, text: str) -> Lock:
    told = without_credentials(text).encode()
    try:
        packages = _reader().read_pylock(told, question.python, question.project)
    except ValueError as error:
        raise _failure(question, f"the lock that came of it cannot be used: {error}") from error
    return Lock(format="pylock", packages=packages, text=told)


def _failure(question: Question, words: str) -> EnvironmentFailed:
    what = f"the environment of `{question.where}` cannot be resolved for Python {question.python.version}"
    hint = f"look at the names and versions in `{question.where}`"
    if _TOLD in words and question.as_of is not None:
        hint = f"`--as-of` leaves out what came after {question.as_of}"
    return tool_failure(what, words, hint=hint)
