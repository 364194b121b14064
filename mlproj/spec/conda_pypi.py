"""A conda environment as a virtualenv: its packages under the names and in the versions of PyPI.

MLflow drops what it does not know, in silence; here that is an error. Loaded only where it is asked for.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from mlproj.errors import EnvironmentFailed
from mlproj.model.environment import CondaSpec, VirtualenvSpec
from mlproj.spec.requirement_paths import from_folder

TABLE = Path(__file__).parent / "data" / "conda_pypi.tsv"
WITHIN_WHEELS = "-"
WITHIN_PYTHON = "="

_PYTHON = "python"
_MATCH = re.compile(
    r"(?:\S*::)?(?P<name>[A-Za-z0-9_][\w.-]*)\s*(?:\[(?P<fields>[^]]*)\]|(?P<rest>[=<>!~\d*^ ].*)?)", re.ASCII
)
_FIELD = re.compile(r"(?P<key>\w+)\s*=\s*(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<bare>[^,\s]+))")
_CLAUSE = re.compile(r"(?P<operator>==|>=|<=|!=|~=|=|>|<)?(?P<version>[^=<>!~].*)")
_WHOLE = re.compile(r"={0,2}[^=<>!~|,*]+")


class _Untranslatable(Exception):
    """Why a package cannot be had from PyPI, in words that follow its name."""


class Dependency(msgspec.Struct, frozen=True, kw_only=True):
    """A package as a conda file asks for it: `versions` in conda's notation, None where any will do."""

    name: str
    versions: str | None
    build: str | None


def as_virtualenv(spec: CondaSpec, numbers: Sequence[int | None], because: str) -> VirtualenvSpec:
    """The virtualenv that serves a conda file. The `pip:` list stays as it is, and outranks the packages, as
    where it is installed after them. `numbers` are the lines of the packages, `because` why it is to be one.

    Raises EnvironmentFailed, which names every package with its line that cannot be had so.
    """
    lines, builds, within, python = list[str](), list[str](), list[str](), None
    names, faults = list[str](), list[str]()
    for text, line in zip(spec.dependencies, numbers, strict=True):
        try:
            dependency = read(text)
            if dependency.name == _PYTHON:
                python = _interpreter(dependency)
                continue
            wanted = _requirement(dependency)
            lines += wanted
            within += [] if wanted else [dependency.name]
            builds += [dependency.name] if wanted and dependency.build else []
        except _Untranslatable as fault:
            place = spec.file if line is None else f"{spec.file}:{line}"
            faults.append(f"{place}: `{text}` {fault}")
            names.append(f"`{text}`")
    if faults:
        raise _failure(spec, names, faults)
    folder = os.path.dirname(spec.file)
    dropped = f"; without the builds that it names of {', '.join(builds)}" if builds else ""
    dropped += _left_out(within)
    variables = ", ".join(name for name, _ in spec.variables)
    dropped += f"; without the variables {variables}" if variables else ""
    return VirtualenvSpec(
        python=python,
        build_dependencies=tuple(lines),
        dependencies=tuple(from_folder(line, folder) for line in spec.pip),
        files=(os.path.normpath(spec.file),),
        because=f"{spec.because}, as a virtualenv of PyPI's packages ({because}){dropped}",
    )


def read(text: str) -> Dependency:
    """A line of a conda file taken apart; the channel does not count. Raises an error told by `as_virtualenv`
    for one that nobody can read."""
    match = _MATCH.fullmatch(text.strip())
    if match is None:
        raise _Untranslatable("is no package in conda's notation")
    name = match["name"].lower()
    if match["fields"] is not None:
        fields = {
            found["key"]: found["single"] or found["double"] or found["bare"] or ""
            for found in _FIELD.finditer(match["fields"])
        }
        return Dependency(name=name, versions=fields.get("version") or None, build=fields.get("build"))
    versions, build = _split(match["rest"] or "")
    return Dependency(name=name, versions=versions, build=build)


def requirement(versions: str) -> str:
    """Versions in conda's notation (`=1.2`, `1.2.*`, `>=1,<2`) in that of PyPI (`==1.2.*`, `>=1,<2`)."""
    if "|" in versions or "^" in versions or "(" in versions:
        raise _Untranslatable("asks for alternatives, and PyPI's notation has none")
    clauses = [_clause(clause.strip()) for clause in versions.split(",") if clause.strip()]
    text = ",".join(clause for clause in clauses if clause)
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        raise _Untranslatable("asks for a version that PyPI's notation does not have") from None
    return text


@functools.cache
def table() -> dict[str, str]:
    """The project on PyPI of each package of conda that is known; WITHIN_WHEELS where wheels bring it,
    WITHIN_PYTHON where an interpreter does."""
    rows = (line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 3}


def _split(rest: str) -> tuple[str | None, str | None]:
    """Versions and build in what follows a name: `=1.2=py38_0`, `==1.2`, `1.2 py38_0`, ` >=1, <2`."""
    text = re.sub(r"\s*([,=<>!~|])\s*", r"\1", rest.strip())
    if not text:
        return None, None
    by_blank = text.split(" ")
    if len(by_blank) > 2:
        raise _Untranslatable("is no package in conda's notation")
    if len(by_blank) == 2:
        return by_blank[0], by_blank[1]
    exact = re.fullmatch(r"(==?)([^=<>!~,|]+)=([^=<>!~,|]+)", text)
    # With a build, the version is a whole one, whatever the sign before it.
    return (f"=={exact[2]}", exact[3]) if exact else (text, None)


def _clause(clause: str) -> str:
    match = _CLAUSE.fullmatch(clause)
    if match is None:
        raise _Untranslatable("asks for a version that PyPI's notation does not have")
    operator, version = match["operator"], match["version"].strip()
    if version == "*" and operator in (None, "=", "=="):
        return ""
    stem = re.sub(r"\.?\*$", "", version)
    has_star = stem != version
    match operator:
        case "=":
            return f"=={stem}.*"
        case None | "==":
            return f"=={stem}.*" if has_star else f"=={stem}"
        case "!=":
            return f"!={stem}.*" if has_star else f"!={stem}"
        case _:
            return f"{operator}{stem}"


def _interpreter(dependency: Dependency) -> str | None:
    """The Python, as a version where it is one or the beginning of one, else as a range."""
    if dependency.versions is None:
        return None
    specifier = requirement(dependency.versions)
    plain = re.fullmatch(r"==([\d.]+?)(?:\.\*)?", specifier)
    return plain[1] if plain else specifier or None


def _requirement(dependency: Dependency) -> tuple[str, ...]:
    project = table().get(dependency.name)
    # Exports pin each part of Python. Who asks for one by hand wants it for itself: `sqlite` is a program.
    is_by_hand = project == WITHIN_PYTHON and _WHOLE.fullmatch(dependency.versions or "") is None
    if project is None or is_by_hand:
        raise _Untranslatable("is not known to be a project on PyPI")
    if project in (WITHIN_WHEELS, WITHIN_PYTHON):
        return ()
    return (f"{project}{'' if dependency.versions is None else requirement(dependency.versions)}",)


def _left_out(names: list[str]) -> str:
    """What is said of the packages that nothing is installed for."""
    words = ((WITHIN_WHEELS, "wheels bring themselves"), (WITHIN_PYTHON, "the interpreter brings itself"))
    kinds = ((bring, [name for name in names if table()[name] == kind]) for kind, bring in words)
    return "".join(f"; what {bring} is left out: {', '.join(found)}" for bring, found in kinds if found)


def _failure(spec: CondaSpec, names: list[str], faults: list[str]) -> EnvironmentFailed:
    packages = "package" if len(names) == 1 else "packages"
    return EnvironmentFailed(
        f"{len(names)} {packages} of `{spec.file}` cannot be had from PyPI: {', '.join(names)}",
        hint="leave `--env-manager` out for a conda environment, or ask for them in the `pip:` list",
        output="\n".join(faults),
    )
