"""What a person asks the lineage of: a run, a file or folder on the disk, a digest, a model."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from mlproj.errors import NotFound, RunNotFound, UsageError
from mlproj.model.digest import Digest, folder_manifest, read_manifest
from mlproj.model.events import Note, Report
from mlproj.model.redaction import without_credentials
from mlproj.model.run import Output, Run
from mlproj.ports import Observer
from mlproj.services.collect import ARTIFACTS
from mlproj.services.lineage_graph import Graph
from mlproj.services.own_tracked import hint_of_registered
from mlproj.spec.model_uri import SCHEME, read_model_uri

SHORTEST = 8
"""So many digits of a digest are needed at least."""
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{8,64})")


class Looking(msgspec.Struct, frozen=True, kw_only=True):
    """What finding something on the disk needs: who reads it, and from which folder it was named."""

    observer: Observer
    caller: Path
    report: Report


def find_subject(graph: Graph, what: str, looking: Looking) -> str:
    """The node of what a person named, put into the graph.

    What is a file here is meant as one, and `./NAME` always is; then come runs, then beginnings of digests.
    Raises NotFound, UsageError, and DataError for a file that cannot be read.
    """
    if what.startswith(SCHEME):
        return _model(graph, what)
    if what.startswith("runs:"):
        return _artifact(graph, what)
    if what.startswith("sha256:"):
        return _content(graph, what)
    place = looking.caller / os.path.expanduser(what.removeprefix("file://"))
    if os.path.lexists(place) and what:
        return _file(graph, what, place, looking)
    try:
        found = graph.add_run(graph.store.find(what).run_id)
        assert found is not None, "it was found just now"
        return found
    except RunNotFound as error:
        if _DIGEST.fullmatch(what.lower()):
            return _content(graph, what)
        hint = (
            hint_of_registered(what, graph.contents)
            or error.hint
            or "name a run, a file, a digest or a model"
        )
        raise NotFound(
            f"`{what}` is no file here, and no run in the store `{_named(graph)}`",
            hint=hint,
        ) from error


def _file(graph: Graph, what: str, place: Path, looking: Looking) -> str:
    seen = looking.observer.data(what, place, looking.caller, declared=True, report=looking.report)
    state = seen.state
    assert state.digest is not None, "what was read has a digest"
    if not state.size:
        raise NotFound(f"`{what}` is empty: anybody may have made it")
    if seen.manifest is not None:
        graph.files[state.digest] = tuple((path, digest) for path, _, digest in read_manifest(seen.manifest))
    if not _is_known(graph, state.digest):
        raise NotFound(
            f"no run in the store `{_named(graph)}` read or left the content of `{what}` ({state.digest})",
            hint="name the store of the runs with `--store`",
        )
    if "/" not in what and graph.contents.runs((what,)):
        looking.report(Note(message=f"`{what}` is a file here, and a run too: this is of the file"))
    return graph.add_data(state.digest, state.kind, state.size, what)


def _is_known(graph: Graph, digest: Digest) -> bool:
    """Whether a run read or left the content, or, of a folder that none did, one of its files."""
    parts: Iterable[Digest] = (part for _, part in graph.files.get(digest, ()))
    return any(
        graph.contents.makers(each, 1).uses or graph.contents.readers(each, 1).uses
        for each in (digest, *parts)
    )


def _content(graph: Graph, what: str) -> str:
    digits = _DIGEST.fullmatch(what.lower())
    if digits is None:
        raise UsageError(
            f"`{what}` is no digest", hint=f"give {SHORTEST} to 64 hexadecimal digits, as `sha256sum` prints"
        )
    found = graph.contents.beginning(digits[1])
    if len(found) > 1:
        shown = ", ".join(f"`{digest}`" for digest in found[:3])
        raise UsageError(f"`{what}` is the beginning of several digests: {shown}", hint="give more digits")
    if not found:
        raise NotFound(f"no run in the store `{_named(graph)}` read or left content with the digest `{what}`")
    form = "folder" if graph.contents.files(found[0]) else "file"
    return graph.add_data(found[0], form, None, "")


def _model(graph: Graph, what: str) -> str:
    asked = read_model_uri(what)
    if asked.model_id is not None and (model := graph.contents.model(asked.model_id)) is not None:
        return graph.add_model(model)
    found = graph.contents.version(asked.name or asked.model_id or "", asked.which)
    if found is None:
        raise NotFound(f"the store `{_named(graph)}` knows no model `{what}`")
    return graph.add_version(found)


def _artifact(graph: Graph, what: str) -> str:
    """A file that a run left, or the folder of those below a path, as MLflow has them below `artifacts/`."""
    reference, _, path = what.removeprefix("runs:").strip("/").partition("/")
    run = graph.store.find(reference)
    if not path:
        found = graph.add_run(run.run_id)
        assert found is not None, "it was found just now"
        return found
    for name in (f"{ARTIFACTS}/{path}", path):
        node = _output(graph, run, name)
        if node is not None:
            return node
    raise NotFound(f"run `{run.name}` left no `{path}`", hint="`mlproj artifacts` lists what it left")


def _output(graph: Graph, run: Run, name: str) -> str | None:
    left = [item for item in (() if run.outcome is None else run.outcome.outputs) if item.digest is not None]
    for output in left:
        inside = name.removeprefix(f"{output.path}/")
        if output.path == name and output.digest is not None:
            return graph.add_data(output.digest, output.kind, output.size, name)
        if output.kind == "folder" and output.digest is not None and inside != name:
            for path, digest in graph.contents.files(output.digest):
                if path == os.fsencode(inside):
                    return graph.add_data(digest, "file", None, name)
    return _folder(graph, [item for item in left if item.path.startswith(f"{name}/")], name)


def _folder(graph: Graph, outputs: list[Output], name: str) -> str | None:
    """The folder of single files that lie below a path."""
    files = [
        (os.fsencode(item.path.removeprefix(f"{name}/")), item.digest)
        for item in outputs
        if item.digest is not None and item.kind == "file"
    ]
    if not files:
        return None
    folder = Digest.of(folder_manifest(files))
    graph.files[folder] = tuple(sorted(files))
    return graph.add_data(folder, "folder", sum(item.size for item in outputs), name)


def _named(graph: Graph) -> str:
    return without_credentials(graph.store.address)
