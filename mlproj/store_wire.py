"""A store over HTTP in words that both ends know: what is asked at which path, and what is answered.

Both are MessagePack, which unlike JSON holds every number and bytes as they are; whoever sends JSON is
answered in JSON. An answer that is an error is in the form of MLflow's, with the kind of error and its hint.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from mlproj import errors
from mlproj.housekeeping_ports import GRACE_S, Garbage, Removed, StoreSize
from mlproj.lineage_ports import Uses
from mlproj.model.digest import Digest, as_digest
from mlproj.model.record import Entry, EntryKind
from mlproj.model.registry import ModelVersion, RunModels, Standing
from mlproj.model.run import Run
from mlproj.model.source import SourceState
from mlproj.model.tracking import LoggedModel
from mlproj.store_ports import Listed, RunQuery

BELOW = "2.0/mlproj/store"
"""Every path is below `/api/` and this."""
MESSAGEPACK = "application/msgpack"
SEND, FETCH = "blobs/send", "blobs/fetch"
"""Where contents go to and come from, as `packing` has them in a stream."""
PART = "blobs/parts/{digest}/{upload}/{number}"
"""Where the parts of one go that is too large for a request: the digest is in hexadecimal."""

KINDS: Mapping[str, type[errors.MlprojError]] = {
    kind.__name__: kind
    for kind in (
        errors.UsageError,
        errors.StoreError,
        errors.NotFound,
        errors.RunNotFound,
        errors.AlreadyThere,
        errors.NotAllowed,
        errors.NotTaken,
        errors.NoRoom,
        errors.Altered,
    )
}
"""The errors that an answer names by their kind."""

T = TypeVar("T")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What every request is, and all of one that asks for nothing in particular."""


class Reference(Asked, frozen=True, kw_only=True):
    reference: str


class OfRun(Asked, frozen=True, kw_only=True):
    run_id: str


class OfRuns(Asked, frozen=True, kw_only=True):
    run_ids: tuple[str, ...]


class Search(Asked, frozen=True, kw_only=True):
    query: RunQuery


class Numbered(Asked, frozen=True, kw_only=True):
    identifier: str


class Begin(Asked, frozen=True, kw_only=True):
    """The run that begins; `logs` asks for a token for its script."""

    run: Run
    logs: bool = True


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    experiment_id: str
    token: str | None = None


class Seal(Asked, frozen=True, kw_only=True):
    """`folders` are lists of the data in folders that it read; `lease` is over with it."""

    run: Run
    folders: tuple[bytes, ...] = ()
    lease: str | None = None


class Alive(Asked, frozen=True, kw_only=True):
    """A runner that is there, of a run or none yet, with the lease that it holds."""

    run_id: str | None = None
    lease: str | None = None


class Hide(Asked, frozen=True, kw_only=True):
    run_ids: tuple[str, ...]
    hidden: bool = True


class Rename(Asked, frozen=True, kw_only=True):
    run_id: str
    name: str


class Amend(Asked, frozen=True, kw_only=True):
    run_id: str
    kind: str
    content: dict[str, str]


class Bring(Asked, frozen=True, kw_only=True):
    run: Run
    payload: bytes
    amendments: tuple[bytes, ...] = ()


class Chain(Asked, frozen=True, kw_only=True):
    kinds: tuple[EntryKind, ...] = ()
    after: int | None = None
    run_id: str | None = None


class Source(Asked, frozen=True, kw_only=True):
    lease: str
    source: SourceState


class Blobs(Asked, frozen=True, kw_only=True):
    """Contents, and the runs that may name them."""

    digests: tuple[Digest, ...]
    runs: tuple[str, ...] = ()


class BeginContent(Asked, frozen=True, kw_only=True):
    """A content that comes in so many parts, since it is too large for one request."""

    digest: Digest
    parts: int


class EndContent(Asked, frozen=True, kw_only=True):
    """All parts of it are there; each is named by what was answered, in order."""

    digest: Digest
    upload: str
    parts: tuple[str, ...]


class Page(Asked, frozen=True, kw_only=True):
    after: str = ""


class Users(Asked, frozen=True, kw_only=True):
    """Who used some content, or a model or dataset by its name."""

    what: str
    most: int


class Digits(Asked, frozen=True, kw_only=True):
    digits: str


class Named(Asked, frozen=True, kw_only=True):
    digest: Digest


class Folder(Asked, frozen=True, kw_only=True):
    manifest: bytes


class Like(Asked, frozen=True, kw_only=True):
    project: str
    entry_point: str
    most: int


class Version(Asked, frozen=True, kw_only=True):
    name: str
    version: str


class Forget(Asked, frozen=True, kw_only=True):
    run_ids: tuple[str, ...]
    who: str
    why: str


class Sweep(Asked, frozen=True, kw_only=True):
    without: tuple[str, ...] = ()
    grace_s: float = GRACE_S


class Refuse(Asked, frozen=True, kw_only=True):
    """Garbage that was found, to be removed."""

    garbage: Garbage


class Question(msgspec.Struct, frozen=True):
    """Something to be asked: the end of its path, the kind of the request, and the kind of the answer."""

    name: str
    asked: type[Asked]
    answer: Any

    @property
    def path(self) -> str:
        return f"{BELOW}/{self.name}"


FIND = Question("runs/find", Reference, Run)
SEARCH = Question("runs/search", Search, tuple[Run, ...])
CHILDREN = Question("runs/children", OfRun, tuple[Run, ...])
MODELS = Question("runs/models", OfRun, RunModels)
LISTING = Question("runs/list", Asked, tuple[Listed, ...])
INDEXES = Question("runs/indexes", OfRuns, dict[str, dict[str, Any]])
EXPERIMENT_OF = Question("runs/experiment", OfRun, str)
EXPERIMENT = Question("experiments/name", Numbered, str)
BEGIN = Question("runs/begin", Begin, Begun)
SEAL = Question("runs/seal", Seal, Run)
ALIVE = Question("runs/alive", Alive, None)
HIDE = Question("runs/hide", Hide, None)
RENAME = Question("runs/rename", Rename, None)
AMEND = Question("runs/amend", Amend, None)
BRING = Question("runs/bring", Bring, Run)
ENTRIES = Question("chain/entries", Chain, tuple[Entry, ...])
HEAD = Question("chain/head", Asked, tuple[int, Digest])
FAULTS = Question("faults", Asked, tuple[str, ...])
REGISTRY = Question("registry", Asked, tuple[Standing, ...])
HAS_SOURCE = Question("leases/source", Source, bool)

MISSING = Question("blobs/missing", Blobs, tuple[Digest, ...])
SIZES = Question("blobs/sizes", Blobs, dict[Digest, int])
DIGESTS = Question("blobs/list", Page, tuple[Digest, ...])
BEGIN_CONTENT = Question("blobs/begin", BeginContent, str)
END_CONTENT = Question("blobs/end", EndContent, None)

MAKERS = Question("contents/makers", Users, Uses)
READERS = Question("contents/readers", Users, Uses)
MODEL_READERS = Question("contents/model-readers", Users, Uses)
DATASET_READERS = Question("contents/dataset-readers", Users, Uses)
BEGINNING = Question("contents/beginning", Digits, tuple[Digest, ...])
FILES = Question("contents/files", Named, tuple[tuple[bytes, Digest], ...])
ADD_FOLDER = Question("contents/add-folder", Folder, None)
FOLDERS = Question("contents/folders", Page, tuple[tuple[Digest, bytes], ...])
RUNS = Question("contents/runs", OfRuns, tuple[Run, ...])
PLANNED = Question("contents/planned", Named, tuple[str, ...])
LIKE = Question("contents/like", Like, tuple[str, ...])
MODEL = Question("contents/model", Numbered, LoggedModel | None)
VERSION = Question("contents/version", Version, ModelVersion | None)
VERSIONS = Question("contents/versions", Numbered, tuple[ModelVersion, ...])

FORGET = Question("garbage/forget", Forget, None)
NEEDED = Question("garbage/needed", Asked, tuple[str, ...])
GARBAGE = Question("garbage/find", Sweep, Garbage)
REMOVE = Question("garbage/remove", Refuse, Removed)
SIZE = Question("size", Asked, StoreSize)


def encoded(noun: object, *, as_json: bool = False) -> bytes:
    """Raises ValueError or OverflowError for what cannot be told, such as half a character."""
    if as_json:
        return msgspec.json.encode(noun, enc_hook=_plain)
    return msgspec.msgpack.encode(noun, enc_hook=_plain)


def decoded(content: bytes, kind: type[T], *, as_json: bool = False) -> T:
    """Raises ValueError where it is none of that kind."""
    if as_json:
        return msgspec.json.decode(content, type=kind, dec_hook=_noun)
    return msgspec.msgpack.decode(content, type=kind, dec_hook=_noun)


def schema_of(kind: type[Any]) -> dict[str, Any]:
    """The form in JSON of a kind that msgspec knows nothing of: each is a text."""
    return {"type": "string"}


def _plain(value: object) -> object:
    if isinstance(value, (str, Path)):
        return str(value)
    raise ValueError(f"a {type(value).__name__} cannot be told")


def _noun(kind: type[Any], value: Any) -> Any:
    return Path(value) if kind is Path else as_digest(kind, value)
