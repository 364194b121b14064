"""The packages of a lock as files, for an environment that is to be built where there is no network."""

from __future__ import annotations

import base64
import http.client
import netrc
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

import yaml

from mlproj.environments.conda.channels import platform_here
from mlproj.environments.indexes import index_settings
from mlproj.environments.probing import platform_name
from mlproj.environments.pylock import Wanted, wanted_files
from mlproj.errors import EnvironmentFailed
from mlproj.files import digest_of
from mlproj.model.digest import Digest
from mlproj.model.environment import Interpreter
from mlproj.model.events import Ended, Note, Progress, Report, Started
from mlproj.model.redaction import without_credentials
from mlproj.model.run import EnvironmentState
from mlproj.ports import Package
from mlproj.spec.conda_lock import conda_packages, parted
from mlproj.store_ports import BlobStore

_AT_ONCE = 8
_PATIENCE = 60.0
_PIECE = 1 << 20


class Needing(Protocol):
    """What an environment was decided for: a job, or a model."""

    @property
    def environment(self) -> EnvironmentState: ...

    @property
    def directory(self) -> str:
        """What paths in its lock are relative to."""
        ...


class Bringing:
    """Brings packages into `folder`; what is in `blobs` is not asked for again. `environ` says which indexes
    a person has set, whose credentials go to those servers."""

    def __init__(self, environ: Mapping[str, str], blobs: BlobStore, folder: Path, report: Report) -> None:
        self._environ = environ
        self._blobs = blobs
        self._folder = folder
        self._report = report
        self._credentials = dict(_credentials(environ))

    def packages(self, job: Needing, lock: bytes) -> tuple[Package, ...]:
        """The files that the environment of a job is built from here, each with the hash that is locked.

        Raises EnvironmentFailed where one cannot be had or is another one, and where the lock is of another
        platform.
        """
        environment = job.environment
        if environment.platform != platform_name():
            raise EnvironmentFailed(
                f"the environment is one of `{environment.platform}`, and this is `{platform_name()}`",
                hint="export where it was built, or without `environment`",
            )
        try:
            wanted = self._wanted(job, lock)
        except (ValueError, yaml.YAMLError) as error:
            raise EnvironmentFailed(f"the lock of the run cannot be read: {error}") from error
        self._report(Started(stage="packages", detail=f"{len(wanted)} of them"))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = []
            for done, package in enumerate(pool.map(lambda each: self._brought(each, job), wanted), 1):
                found.append(package)
                self._report(Progress(stage="packages", done=done, total=len(wanted), unit="packages"))
        self._report(Ended(stage="packages"))
        return tuple(found)

    def _wanted(self, job: Needing, lock: bytes) -> tuple[Wanted, ...]:
        environment = job.environment
        if environment.kind == "conda":
            parts = parted(lock.decode())
            archives = tuple(_archives(parts.conda))
            if parts.pylock is None:
                return archives
            version = dict(conda_packages(parts.conda)).get("python", "").partition("=")[0]
            return archives + self._wheels(parts.pylock.encode(), version, "cpython")
        is_pypy = "pypy" in (environment.executable or "").lower()
        return self._wheels(lock, environment.python or "", "pypy" if is_pypy else "cpython")

    def _wheels(self, lock: bytes, version: str, implementation: str) -> tuple[Wanted, ...]:
        python = Interpreter(
            executable=Path("python"), version=version, implementation=implementation, because="recorded"
        )
        files, others = wanted_files(lock, python)
        for name in others:
            self._report(Note(message=f"`{name}` is no file of an index: it is not taken along"))
        for file in files:
            if file.as_source:
                self._report(
                    Note(message=f"`{file.name}` has to be built, which may need packages that no lock names")
                )
        return files

    def _brought(self, wanted: Wanted, job: Needing) -> Package:
        if wanted.sha256 is None:
            raise EnvironmentFailed(f"the lock tells no SHA-256 of `{wanted.name}`, so it is not taken along")
        digest = Digest.from_hex(wanted.sha256)
        if digest in self._blobs:
            return Package(name=wanted.name, digest=digest, path=self._blobs.path(digest))
        path = self._local(wanted, job) or self._downloaded(wanted)
        try:
            found, _ = digest_of(path)
        except OSError as error:
            raise EnvironmentFailed(f"`{path}` cannot be read: {error.strerror}") from error
        if found != digest:
            raise EnvironmentFailed(
                f"`{wanted.name}` is not what was locked: its hash is {found}, not {digest}",
                hint="whoever serves it has put another file in its place",
            )
        return Package(name=wanted.name, digest=digest, path=path)

    def _local(self, wanted: Wanted, job: Needing) -> Path | None:
        """Where the file is, if it is on this machine."""
        parts = urlsplit(wanted.place)
        if parts.scheme == "file":
            return Path(unquote(parts.path))
        return None if parts.scheme else Path(job.directory, wanted.place)

    def _downloaded(self, wanted: Wanted) -> Path:
        target = self._folder / f"{wanted.sha256}-{len(wanted.name)}"
        try:
            with (
                urllib.request.urlopen(self._request(wanted.place), timeout=_PATIENCE) as answer,
                target.open("wb") as file,
            ):
                while piece := answer.read(_PIECE):
                    file.write(piece)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()  # the answer that it stands in is done with
            told = without_credentials(str(getattr(error, "reason", None) or error))
            raise EnvironmentFailed(
                f"`{wanted.name}` cannot be downloaded from `{without_credentials(wanted.place)}`: {told}",
                hint="look at the network; a run may be exported without `environment`",
            ) from error
        return target

    def _request(self, url: str) -> urllib.request.Request:
        """The request, with credentials in a header that a redirect to another host does not carry along."""
        parts = urlsplit(url)
        _, _, host = parts.netloc.rpartition("@")
        request = urllib.request.Request(
            urlunsplit(parts._replace(netloc=host)), headers={"User-Agent": "mlproj"}
        )
        pair = self._credentials.get((parts.scheme, host)) or _in_netrc(parts.hostname or "", self._environ)
        if pair is not None:
            value = base64.b64encode(pair.encode()).decode()
            request.add_unredirected_header("Authorization", f"Basic {value}")
        return request


def _credentials(environ: Mapping[str, str]) -> Iterator[tuple[tuple[str, str], str]]:
    """User and password for each server (scheme and host) that an index is set for with them."""
    settings = index_settings(environ)
    texts = [value for _, value in (*settings.variables, *settings.resolving)]
    texts += [value for name, value in environ.items() if name.startswith(("UV_", "PIP_"))]
    for word in " ".join(texts).replace(",", " ").split():
        try:
            parts = urlsplit(word[word.find("=") + 1 :] if word.find("=") < word.find("://") else word)
        except ValueError:
            continue
        user, at, host = parts.netloc.rpartition("@")
        if at:
            name, _, password = user.partition(":")
            yield (parts.scheme, host), f"{unquote(name)}:{unquote(password)}"


def _in_netrc(host: str, environ: Mapping[str, str]) -> str | None:
    place = environ.get("NETRC") or Path(environ.get("HOME", "~")).expanduser() / ".netrc"
    try:
        found = netrc.netrc(str(place)).authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return None
    return None if found is None else f"{found[0]}:{found[2]}"


def _archives(lock: str) -> Iterator[Wanted]:
    """The archives of conda's packages that rattler's lock file has for this machine. Raises ValueError."""
    document: Any = yaml.load(lock, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    try:
        listed = document["environments"]["default"]["packages"][platform_here()]
        hashes = {item["conda"]: item.get("sha256") for item in document["packages"] if "conda" in item}
    except (TypeError, KeyError) as error:
        raise ValueError(f"it holds nothing for `{platform_here()}`") from error
    for url in (item["conda"] for item in listed if "conda" in item):
        name = unquote(urlsplit(url).path).rsplit("/", 1)[-1]
        yield Wanted(package=name, name=name, place=url, sha256=hashes.get(url), as_source=False)
