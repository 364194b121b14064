"""Looking at what was recorded: which runs, their logs, and the files that they left."""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlproj.errors import Altered, StoreError, UsageError, did_you_mean
from mlproj.model.digest import Digest, read_manifest, readable
from mlproj.model.events import ChildOutput
from mlproj.model.run import Output, Run, Status
from mlproj.ports import Condition, RunStore

STREAMS = ("stdout", "stderr")
POLL_S = 0.15

_CONDITION = re.compile(
    r"\s*(?P<field>[^<>=!~]+?)\s*(?P<operator><=|>=|!=|==|=|<|>|~)\s*(?P<value>.*?)\s*", re.DOTALL
)
_PREFIXES = {
    "metric": "metrics",
    "param": "params",
    "parameter": "params",
    "parameters": "params",
    "tag": "tags",
}
_ATTRIBUTE_PREFIXES = ("attribute", "attributes", "attr", "run")
_ATTRIBUTE_NAMES = {"run_name": "name", "user_id": "user", "start_time": "started", "end_time": "ended"}
_PIECE = 256 * 1024


def parse_condition(text: str) -> Condition:
    """The comparison that `metrics.rmse < 0.5` means. A bare key is an attribute of the run; the key may
    stand in backticks or double quotes, the value in quotes of either kind. MLflow's prefixes and names
    (`attributes.`, `param.`, `run_name`) are understood. Raises UsageError.
    """
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise UsageError(
            f"`{text}` is not a condition", hint="write one such as `metrics.rmse < 0.5` or `status = FAILED`"
        )
    operator = "=" if match["operator"] == "==" else match["operator"]
    return Condition(field=_field(match["field"]), operator=operator, value=_unquoted(match["value"], "'\""))


def metric_series(run: Run) -> dict[str, tuple[tuple[int, float | str], ...]]:
    """Each metric's (step, value) points, in the order in which they were logged."""
    series: dict[str, list[tuple[int, float | str]]] = {}
    for point in () if run.outcome is None else run.outcome.metrics:
        series.setdefault(point.key, []).append((point.step, point.value))
    return {key: tuple(points) for key, points in series.items()}


def read_log(
    store: RunStore, run: Run, stream: str | None = None, *, follow: bool = False
) -> Iterator[ChildOutput]:
    """What the run wrote to `stream`, or to both in the order in which it came.

    With `follow`, goes on until the run has ended. Raises StoreError where a log is not there any more.
    """
    if run.outcome is not None:
        yield from _recorded(store, run, stream)
        return
    yield from _live(store, run, STREAMS if stream is None else (stream,), follow=follow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that a run left, or one in a folder that it left. Without a digest it was not kept, and
    `state` says why (`unchanged`, `missing`)."""

    path: str
    digest: Digest | None
    size: int
    state: str = "written"


def artifacts(store: RunStore, run: Run) -> tuple[Artifact, ...]:
    """All files that the run left, those in folders one by one. Raises StoreError and Altered."""
    found: list[Artifact] = []
    for output in () if run.outcome is None else run.outcome.outputs:
        if output.kind == "folder" and output.digest is not None:
            found += (
                Artifact(path=path, digest=digest, size=_size(store, digest))
                for path, digest in _listed(store, output)
            )
        else:
            found.append(
                Artifact(path=output.path, digest=output.digest, size=output.size, state=output.state)
            )
    return tuple(found)


def get_artifact(store: RunStore, run: Run, path: str, destination: Path) -> tuple[Path, ...]:
    """Copies a file that the run left, or every file under the folder `path`, and returns where to.

    A file goes to `destination`, or into it where that is a folder; a folder's files go below it. Raises
    UsageError where the run left no such file or where one is in the way, Altered where the content is no
    longer what was recorded.
    """
    wanted = path.rstrip("/")
    kept = {artifact.path: artifact.digest for artifact in artifacts(store, run) if artifact.digest}
    if wanted in kept:
        target = destination / Path(wanted).name if destination.is_dir() else destination
        chosen = {target: kept[wanted]}
    else:
        prefix = "" if wanted in ("", ".") else f"{wanted}/"
        chosen = {
            destination / name.removeprefix(prefix): digest
            for name, digest in kept.items()
            if name.startswith(prefix)
        }
    if not chosen:
        raise UsageError(
            f"run `{run.name}` left no file `{path}`",
            hint=did_you_mean(path, kept) or "`mlproj artifacts` lists what it left",
        )
    for target in chosen:
        if not target.resolve().is_relative_to((destination if len(chosen) > 1 else target.parent).resolve()):
            raise Altered(f"`{target}` lies outside the folder it belongs to")
        if target.exists():
            raise UsageError(f"`{target}` is there already", hint="name another destination")
    for target, digest in chosen.items():
        _copy(store, digest, target)
    return tuple(chosen)


def _field(text: str) -> str:
    kind, dot, key = text.partition(".")
    if dot and kind in _ATTRIBUTE_PREFIXES:
        kind, dot, key = key, "", ""
    if dot:
        return f"{_PREFIXES.get(kind, kind)}.{_unquoted(key, '`' + chr(34))}"
    name = _unquoted(kind, "`" + chr(34))
    return _ATTRIBUTE_NAMES.get(name, name)


def _unquoted(text: str, marks: str) -> str:
    quoted = len(text) >= 2 and text[0] in marks and text[-1] == text[0]
    return text[1:-1] if quoted else text


def _recorded(store: RunStore, run: Run, stream: str | None) -> Iterator[ChildOutput]:
    logs = {log.name: log.digest for log in (run.outcome.logs if run.outcome else ())}
    with contextlib.ExitStack() as stack:
        files = {
            name: stack.enter_context(store.blobs.path(logs[name]).open("rb"))
            for name in STREAMS
            if name in logs and stream in (None, name)
        }
        if stream is None and "times" in logs:
            for name, length in _pieces(store.blobs.path(logs["times"]).read_text(errors="replace")):
                if name in files and (data := files[name].read(length)):
                    yield ChildOutput(stream=name, data=data)
        # Without times, or where they end too early, what is left comes stream by stream.
        for name, file in files.items():
            while data := file.read(_PIECE):
                yield ChildOutput(stream=name, data=data)


def _pieces(times: str) -> Iterator[tuple[str, int]]:
    """Stream and length of each piece that came."""
    for line in times.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[2].isdigit():
            yield fields[1], int(fields[2])


def _live(store: RunStore, run: Run, streams: tuple[str, ...], *, follow: bool) -> Iterator[ChildOutput]:
    """What has been written so far and, with `follow`, what comes until the run is closed."""
    logs = store.workspace(run.run_id) / "logs"
    offsets = dict.fromkeys(streams, 0)
    while True:
        # Asked before the files are read, so that nothing that was written before the end is missed.
        current = store.find(run.run_id)
        over = current.status is not Status.RUNNING
        sealed = {log.name: log.digest for log in (current.outcome.logs if current.outcome else ())}
        for name in streams:
            place = store.blobs.path(sealed[name]) if name in sealed else logs / name
            for data in _from(place, offsets[name]):
                offsets[name] += len(data)
                yield ChildOutput(stream=name, data=data)
        if over or not follow:
            return
        time.sleep(POLL_S)


def _from(path: Path, offset: int) -> Iterator[bytes]:
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        file.seek(offset)
        while data := file.read(_PIECE):
            yield data


def _listed(store: RunStore, output: Output) -> Iterator[tuple[str, Digest]]:
    assert output.digest is not None, "only an output that was kept has a manifest"
    try:
        entries = read_manifest(store.blobs.path(output.digest).read_bytes())
    except ValueError as error:
        raise Altered(f"the list of files of `{output.path}` is not what was recorded: {error}") from error
    for path, _, digest in entries:
        yield f"{output.path.rstrip('/')}/{readable(path)}", digest


def _size(store: RunStore, digest: Digest) -> int:
    return store.blobs.path(digest).stat().st_size if digest in store.blobs else 0


def _copy(store: RunStore, digest: Digest, target: Path) -> None:
    source = store.blobs.path(digest)
    hasher = hashlib.sha256()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as reading, target.open("xb") as writing:
            while data := reading.read(_PIECE):
                hasher.update(data)
                writing.write(data)
    except OSError as error:
        raise StoreError(f"`{target}` cannot be written: {error.strerror}") from error
    if hasher.hexdigest() != digest.hex:
        target.unlink()
        raise Altered(f"the content of `{target.name}` is no longer what was recorded")
