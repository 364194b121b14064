"""A run as an in-toto statement with SLSA's provenance: who made what, of what, by which command.

Nothing is said here that the record does not say. `docs/reference/attestation.md` tells field by field.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlproj.exports.dsse import read_once
from mlproj.model.digest import Digest, canonical, folder_manifest, plain
from mlproj.model.provenance import InputState
from mlproj.model.run import EnvironmentState, Job, Outcome, Output, Run, models_among
from mlproj.model.source import SourceState

STATEMENT = "https://in-toto.io/Statement/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
BUILD_TYPE = "urn:mlproj:run:1"
FOLDER = "dirHash"
"""What in-toto calls the digest of a folder."""
BUILDER = "urn:mlproj:local"
RECORD = "record"
"""The byproduct that is the record's own digest."""

Json = dict[str, Any]


def statement(run: Run, builder: str = BUILDER) -> Json:
    """The statement of a sealed run that was made here, by whoever `builder` (a URI) names. It follows from
    the record alone: what is said of the same record in another way has another BUILD_TYPE.

    Raises ValueError where the run has no plan or has not ended.
    """
    if run.plan is None or run.job is None or run.outcome is None or run.record is None:
        raise ValueError("only what was run and recorded here can be attested")
    return {
        "_type": STATEMENT,
        "subject": list(_subjects(run.outcome)) or [_record(run, run.outcome)],
        "predicateType": PROVENANCE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "source": run.job.uri,
                    "subfolder": run.plan.subfolder,
                    "entryPoint": run.plan.entry_point,
                    "parameters": {item.name: item.value for item in run.job.parameters},
                },
                "internalParameters": {
                    "planDigest": run.plan.identity,
                    "plan": plain(run.plan),
                    "command": run.job.command,
                    "backend": run.job.backend,
                    "environment": _environment(run.job.environment),
                    "variables": dict(run.job.variables),
                },
                "resolvedDependencies": list(_dependencies(run.job, run.outcome)),
            },
            "runDetails": {
                "builder": {"id": builder, "version": {"mlproj": run.job.mlproj_version}},
                "metadata": {
                    "invocationId": run.run_id,
                    "startedOn": run.outcome.started,
                    "finishedOn": run.outcome.ended,
                },
                "byproducts": [_record(run, run.outcome), *_logs(run.outcome)],
            },
        },
    }


def says_the_same(run: Run, payload: bytes) -> bool:
    """Whether a statement says of a run what its record says, all of that and nothing else; who ran it is its
    own word."""
    try:
        builder = str(read_once(payload)["predicate"]["runDetails"]["builder"]["id"])
        return canonical(statement(run, builder)) == payload
    except (ValueError, KeyError, TypeError):
        return False


def _subjects(outcome: Outcome) -> Iterator[Json]:
    """What the run wrote, and each model among it as the folder that it is."""
    written = [output for output in outcome.outputs if output.digest is not None]
    for output in written:
        assert output.digest is not None
        yield {"name": output.path, "digest": digest_set(output.digest, folder=output.kind == "folder")}
    for folder, files in models_among(written).items():
        yield {"name": folder, "digest": digest_set(_folder_digest(folder, files), folder=True)}


def _folder_digest(folder: str, files: list[Output]) -> Digest:
    named = ((file.path.removeprefix(f"{folder}/").encode(), file.digest) for file in files)
    return Digest.of(folder_manifest((path, digest) for path, digest in named if digest is not None))


def digest_set(digest: Digest, *, folder: bool) -> dict[str, str]:
    """A digest as in-toto has it; a folder's is that of its manifest, which is in-toto's `dirHash`."""
    return {FOLDER if folder else "sha256": digest.hex}


def _dependencies(job: Job, outcome: Outcome) -> Iterator[Json]:
    yield from _source(job.source)
    for state in (*job.inputs, *outcome.reads):
        yield _input(state)
    yield from _of_environment(job.environment)


def _source(source: SourceState) -> Iterator[Json]:
    """The commit, if there was one, and the files as they ran, which for a changed tree are others."""
    if source.commit is not None:
        where = source.remote or source.uri
        git = where if where.startswith("git+") else f"git+{where if ':' in where else f'file://{where}'}"
        yield {
            "name": "source",
            "uri": f"{git}@{source.commit}",
            "digest": {"gitCommit": source.commit},
            "annotations": {"dirty": bool(source.dirty)},
        }
    for submodule in source.submodules:
        digest = {} if submodule.commit is None else {"digest": {"gitCommit": submodule.commit}}
        yield {"name": f"source/{submodule.path}", **digest, "annotations": {"dirty": submodule.dirty}}
    yield {
        "name": "source snapshot",
        "digest": digest_set(source.snapshot, folder=False),
        "annotations": {"files": source.files, "omitted": [file.path for file in source.omitted]},
    }


def _input(state: InputState) -> Json:
    found: Json = {"name": f"data/{state.name}", "annotations": {"path": state.path, "size": state.size}}
    if not state.declared:
        found["annotations"]["declared"] = False
    if state.kind == "uri":
        found["uri"] = state.path
        found["annotations"] |= dict(state.remote)
    if state.digest is not None:
        found["digest"] = digest_set(state.digest, folder=state.kind == "folder")
    return found


def _of_environment(environment: EnvironmentState) -> Iterator[Json]:
    if environment.lock_file is not None:
        about = {"identity": environment.lock, "format": environment.lock_format}
        digest = digest_set(environment.lock_file, folder=False)
        yield {"name": "lock", "digest": digest, "annotations": about}
    image = environment.image
    if image is not None:
        about = {"id": image.id, "platform": image.platform}
        content = (image.digest or image.id).rpartition("sha256:")[2]
        yield {"name": "image", "uri": image.name, "digest": {"sha256": content}, "annotations": about}
    if environment.python is not None:
        about = {"platform": environment.platform}
        yield {"name": "python", "uri": f"pkg:generic/python@{environment.python}", "annotations": about}


def _environment(environment: EnvironmentState) -> Json:
    return {
        "kind": environment.kind,
        "because": environment.because,
        "platform": environment.platform,
        "packages": environment.packages,
        "options": list(environment.options),
    }


def _record(run: Run, outcome: Outcome) -> Json:
    assert run.record is not None, "a run that is attested is sealed"
    return {
        "name": RECORD,
        "digest": digest_set(run.record, folder=False),
        "annotations": {
            "status": outcome.status.value,
            "exitCode": outcome.exit_code,
            "metrics": outcome.latest,
        },
    }


def _logs(outcome: Outcome) -> Iterator[Json]:
    for log in outcome.logs:
        yield {"name": log.name, "digest": digest_set(log.digest, folder=False)}
