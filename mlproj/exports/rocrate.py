"""A run as an RO-Crate of the Process Run Crate profile, for tools that know nothing of mlproj.

https://w3id.org/ro/wfrun/process/0.5 on https://w3id.org/ro/crate/1.1. The crate is for others to read:
nothing in it is read back by mlproj, whose own documents lie beside it.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from mlproj.model import bundle
from mlproj.model.bundle import Place
from mlproj.model.provenance import InputState
from mlproj.model.run import Job, Outcome, Run, Status

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_SPECIFICATION = "https://w3id.org/ro/crate/1.1"
_CONTEXT: list[object] = [
    f"{_SPECIFICATION}/context",
    {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"},
]
_LICENSE = "#license"
_DONE = "http://schema.org/CompletedActionStatus"
_FAILED = "http://schema.org/FailedActionStatus"
_ABOUT = {
    bundle.DOCUMENT: ("What this bundle holds", "application/json"),
    bundle.RECORD: ("The record of the run, as it was sealed", "application/json"),
    bundle.PLAN: ("What was decided before the run: its SHA-256 names the experiment", "application/json"),
    bundle.MANIFEST: ("Digests of all files, for `sha256sum -c`", "text/plain"),
}
Entity = dict[str, Any]


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What of the bundle the crate is to name: `files` with their sizes, and by the names of inputs the paths
    of theirs."""

    files: Mapping[Place, int]
    data: Mapping[str, tuple[str, ...]]


def crate(run: Run, held: Held) -> bytes:
    """The metadata document of the bundle of a run that has ended."""
    assert run.job is not None and run.outcome is not None, "only a run that has ended is handed over"
    files = [_file(place, size) for place, size in held.files.items()]
    parts = [*(_document(name) for name in _ABOUT), *files]
    inputs = list(_inputs(run.job, held))
    parameters = list(_parameters(run.job))
    action = _action(run, run.job, run.outcome)
    outputs = [item for item in files if item["@id"].startswith(f"{bundle.OUTPUTS}/")]
    action |= _references("object", [*inputs, *parameters])
    action |= _references("result", outputs)
    known = {part["@id"] for part in parts}
    graph = [
        _descriptor(),
        _root(run, run.job, run.outcome, parts, action),
        {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        {"@id": _LICENSE, "@type": "CreativeWork", "name": "No license is stated: look into the source"},
        action,
        _instrument(run, run.job),
        _agent(run.job),
        *parts,
        *(item for item in inputs if item["@id"] not in known),
        *parameters,
    ]
    document = {"@context": _CONTEXT, "@graph": graph}
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def _descriptor() -> Entity:
    return {
        "@id": bundle.CRATE,
        "@type": "CreativeWork",
        "conformsTo": {"@id": _SPECIFICATION},
        "about": {"@id": "./"},
    }


def _root(run: Run, job: Job, outcome: Outcome, parts: Sequence[Entity], action: Entity) -> Entity:
    entry = "" if run.plan is None else f", entry point `{run.plan.entry_point}`"
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Run {run.name} of {job.project}",
        "description": f"A recorded run of {job.project}{entry}: its record, source, lock, outputs and logs",
        "datePublished": _instant(outcome.ended),
        "license": {"@id": _LICENSE},
        "author": {"@id": _agent_id(job)},
        "conformsTo": {"@id": PROFILE},
        **_references("hasPart", parts),
        "mentions": {"@id": action["@id"]},
    }


def _action(run: Run, job: Job, outcome: Outcome) -> Entity:
    done = outcome.status is Status.FINISHED
    reason = outcome.reason or f"the entry point ended with exit code {outcome.exit_code}"
    return {
        "@id": f"#run-{run.run_id}",
        "@type": "CreateAction",
        "name": f"Run {run.name}",
        "description": job.command,
        "instrument": {"@id": _instrument_id(run)},
        "agent": {"@id": _agent_id(job)},
        "startTime": _instant(outcome.started),
        "endTime": _instant(outcome.ended),
        "actionStatus": _DONE if done else _FAILED,
        **({} if done else {"error": reason}),
    }


def _instrument(run: Run, job: Job) -> Entity:
    source = job.source
    return {
        "@id": _instrument_id(run),
        "@type": "SoftwareApplication",
        "name": job.project if run.plan is None else f"{job.project}: {run.plan.entry_point}",
        "description": f"An entry point of an MLproject, in a {job.environment.kind} environment",
        "softwareVersion": source.commit or str(source.snapshot),
        **({"url": source.remote} if source.remote else {}),
    }


def _instrument_id(run: Run) -> str:
    return f"#{quote('main' if run.plan is None else run.plan.entry_point, safe='')}"


def _agent(job: Job) -> Entity:
    return {"@id": _agent_id(job), "@type": "Person", "name": job.user}


def _agent_id(job: Job) -> str:
    return f"#agent-{quote(job.user, safe='')}"


def _inputs(job: Job, held: Held) -> Iterator[Entity]:
    for number, state in enumerate(job.inputs, start=1):
        paths = held.data.get(state.name, ())
        if state.kind != "folder" and len(paths) == 1:
            yield {"@id": _id(paths[0])}
        else:
            entity = _absent(number, state)
            if paths:
                entity |= {"@type": "Collection", "description": f"A folder, which was at {state.path}"}
                entity |= _references("hasPart", [{"@id": _id(path)} for path in paths])
            yield entity


def _absent(number: int, state: InputState) -> Entity:
    """An input whose content is not in the bundle: what is known of it."""
    told: Entity = {
        "@id": f"#input-{number}",
        "@type": "CreativeWork",
        "name": state.name,
        "description": f"An input that is not in this bundle; it was at {state.path}",
    }
    if state.digest is not None and state.kind == "file":
        told["sha256"] = state.digest.hex
    return told


def _parameters(job: Job) -> Iterator[Entity]:
    for item in job.parameters:
        yield {
            "@id": f"#parameter-{quote(item.name, safe='')}",
            "@type": "PropertyValue",
            "name": item.name,
            "value": item.value if isinstance(item.value, str) else json.dumps(item.value),
        }


def _file(place: Place, size: int) -> Entity:
    return {
        "@id": _id(place.path),
        "@type": "File",
        "name": place.path,
        "contentSize": str(size),
        "encodingFormat": mimetypes.guess_type(place.path, strict=False)[0] or "application/octet-stream",
        "sha256": place.digest.hex,
    }


def _document(name: str) -> Entity:
    told, notation = _ABOUT[name]
    return {"@id": name, "@type": "File", "name": name, "description": told, "encodingFormat": notation}


def _instant(time: str) -> str:
    """A time as the profile's validator wants it: the offset in digits."""
    return f"{time[:-1]}+00:00" if time.endswith("Z") else time


def _references(key: str, entities: Iterable[Entity]) -> Entity:
    found = [{"@id": entity["@id"]} for entity in entities]
    return {key: found[0] if len(found) == 1 else found} if found else {}


def _id(path: str) -> str:
    return quote(path, safe="/-._~")
