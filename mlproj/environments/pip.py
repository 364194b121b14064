"""Locks and installs with pip alone, for machines where uv cannot be had."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from mlproj import process
from mlproj.environments.indexes import redacted
from mlproj.environments.question import Question
from mlproj.environments.skeletons import make_virtualenv
from mlproj.environments.uploads import untold
from mlproj.environments.uv import tool_failure
from mlproj.errors import EnvironmentFailed
from mlproj.model.environment import Interpreter
from mlproj.model.events import Report, ToolOutput
from mlproj.spec.requirements import inclusion


@dataclass(frozen=True, slots=True, kw_only=True)
class _Download:
    url: str
    dir_info: dict[str, Any] | None = None
    vcs_info: dict[str, Any] | None = None
    archive_info: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """A package as pip's installation report describes it."""

    download_info: _Download
    metadata: dict[str, Any]
    is_direct: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Installation:
    install: list[_Item] = field(default_factory=list)


def resolve_with_pip(lines: Sequence[str], question: Question, report: Report) -> str:
    """The lock (PEP 751) of what pip would install for some requirement lines, all that the question asks.

    Raises EnvironmentFailed, in pip's words; so it does where the Python's pip is older than 22.2, and for
    a lock as of an instant where it is older than 26.
    """
    project, python, cache, environ = question.project, question.python, question.cache, question.environ
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".resolving-", dir=cache) as name:
        folder = Path(name)
        make_virtualenv(python, folder / "virtualenv", cache, seeded=True)
        (folder / "requirements.txt").write_text("".join(f"{_rooted(line, project)}\n" for line in lines))
        options = ("--dry-run", "--ignore-installed", "--quiet", "--report", folder / "report.json")
        as_of = (f"--uploaded-prior-to={question.as_of}",) if question.as_of else ()
        command = (*_pip(folder / "virtualenv"), *options, *as_of, "-r", folder / "requirements.txt")
        done = process.run(
            command, directory=project, patch=_PATCH, on_line=_teller(report, "resolve", environ)
        )
        if done.code != 0:
            words = redacted(done.complaint, environ, *lines)
            unknown = _UNTOLD.search(words)
            if unknown is not None:
                raise untold(unknown["name"])
            missing = next((needed for option, needed in _NEEDED.items() if option in words), None)
            if missing is not None:
                words = f"its pip is older than {missing}, and uv, which could do it, is not installed"
            raise tool_failure(f"the environment cannot be resolved for Python {python.version}", words)
        found = msgspec.json.decode((folder / "report.json").read_bytes(), type=_Installation)
        if question.as_of:
            _check_origins(found)
        return _pylock(found)


_UNTOLD = re.compile(r"Index \S*?(?P<name>[^/\s]+)/? does not provide upload-time")
_NEEDED = {
    "no such option: --dry-run": "22.2",
    "no such option: --report": "22.2",
    "no such option: --uploaded-prior-to": "26.0",
}


def _check_origins(found: _Installation) -> None:
    """pip asks indexes for upload times, and takes files out of folders whatever their age."""
    for item in found.install:
        if not item.is_direct and item.download_info.url.startswith("file:"):
            raise untold(str(item.metadata["name"]))


def install_with_pip(
    text: str, python: Interpreter, folder: Path, cache: Path, environ: Mapping[str, str], report: Report
) -> None:
    """Makes `folder` a virtualenv and installs what the lock `text` (from `resolve_with_pip`) names.

    Hashes are checked wherever the lock has them. Raises EnvironmentFailed, in pip's words.
    """
    make_virtualenv(python, folder, cache, seeded=True)
    lines = [line.removeprefix("# pip: ") for line in text.split("\n") if line.startswith("# pip: ")]
    if not lines:
        raise EnvironmentFailed(
            "this lock was made by another tool, and pip cannot install it",
            hint="`pip install uv` installs uv",
        )
    checked = [line for line in lines if "--hash=" in line]
    for chosen, options in ((checked, ("--require-hashes",)), ([x for x in lines if x not in checked], ())):
        if chosen:
            _install(chosen, options, folder, environ, report)


def _install(
    lines: Sequence[str], options: Sequence[str], folder: Path, environ: Mapping[str, str], report: Report
) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="requirements-", suffix=".txt") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        command = (*_pip(folder), "--no-deps", *options, "-r", file.name)
        done = process.run(command, patch=_PATCH, on_line=_teller(report, "install", environ))
    if done.code != 0:
        words = redacted(done.complaint, environ, *lines)
        raise tool_failure("pip could not install the environment", words)


_PATCH = {"PYTHONHOME": None, "PYTHONPATH": None, "PIP_REQUIRE_VIRTUALENV": None, "PIP_USER": None}


def _pip(virtualenv: Path) -> tuple[str | Path, ...]:
    options = ("--disable-pip-version-check", "--no-input")
    return (virtualenv / "bin" / "python", "-m", "pip", *options, "install", "--progress-bar", "off")


def _teller(report: Report, stage: str, environ: Mapping[str, str]) -> Callable[[str], None]:
    return lambda line: report(ToolOutput(stage=stage, line=redacted(line, environ)))


def _rooted(line: str, project: Path) -> str:
    """The line with a rooted path: a file is looked for beside the one that includes it, here elsewhere."""
    included = inclusion(line)
    if included is None or "://" in included.file:
        return line
    return f"{included.option} {shlex.quote(str(project / included.file))}"


def _pylock(installation: _Installation) -> str:
    items = sorted(installation.install, key=lambda item: str(item.metadata["name"]).lower())
    requests = [f"# pip: {_request(item)}" for item in items]
    head = ['lock-version = "1.0"', 'created-by = "mlproj"']
    return "\n".join([*requests, *head, *(_table(item) for item in items)]) + "\n"


def _request(item: _Item) -> str:
    """The line of a requirements file that installs exactly this."""
    name, version, source = item.metadata["name"], item.metadata["version"], item.download_info
    if source.dir_info is not None:
        editable = "-e " if source.dir_info.get("editable") else ""
        return f"{editable}{_folder(source)}"
    if source.vcs_info is not None:
        return f"{name} @ {source.vcs_info['vcs']}+{source.url}@{source.vcs_info['commit_id']}"
    digest = _sha256(source)
    hashed = f" --hash=sha256:{digest}" if digest else ""
    return f"{name} @ {source.url}{hashed}" if item.is_direct else f"{name}=={version}{hashed}"


def _table(item: _Item) -> str:
    source = item.download_info
    lines = ["", "[[packages]]", f"name = {_quoted(item.metadata['name'])}"]
    if source.dir_info is not None:
        editable = ", editable = true" if source.dir_info.get("editable") else ""
        return "\n".join([*lines, f"directory = {{ path = {_quoted(_folder(source))}{editable} }}"])
    lines.append(f"version = {_quoted(item.metadata['version'])}")
    if source.vcs_info is not None:
        kind, commit = source.vcs_info["vcs"], source.vcs_info["commit_id"]
        told = f"type = {_quoted(kind)}, url = {_quoted(source.url)}, commit-id = {_quoted(commit)}"
        return "\n".join([*lines, f"vcs = {{ {told} }}"])
    digest = _sha256(source)
    hashes = f", hashes = {{ sha256 = {_quoted(digest)} }}" if digest else ""
    artifact = f"{{ url = {_quoted(source.url)}{hashes} }}"
    is_wheel = urlsplit(source.url).path.endswith(".whl")
    key = "archive = " if item.is_direct else "wheels = [" if is_wheel else "sdist = "
    return "\n".join([*lines, f"{key}{artifact}{']' if key.endswith('[') else ''}"])


def _folder(source: _Download) -> str:
    return unquote(urlsplit(source.url).path)


def _sha256(source: _Download) -> str | None:
    hashes: dict[str, str] = (source.archive_info or {}).get("hashes") or {}
    return hashes.get("sha256")


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
