"""Runs to put into a store: small, whole, and different where a test asks for it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from msgspec.structs import replace

from mlproj.model.digest import Digest, folder_manifest, snapshot_manifest
from mlproj.model.plan import Plan, PlanInput, PlanParameter
from mlproj.model.project import ParameterType
from mlproj.model.provenance import Host, InputState
from mlproj.model.run import (
    EnvironmentState,
    Job,
    LogFile,
    MetricPoint,
    Outcome,
    Output,
    Run,
    ShownParameter,
    Status,
    Usage,
)
from mlproj.model.source import SourceState
from mlproj.store_ports import BlobStore

SOURCE = {b"MLproject": b"name: sample\n", b"train.py": b"print('training')\n"}
LOCK = b'lock-version = "1.0"\n[[packages]]\nname = "numpy"\nversion = "2.0.0"\n'
DATA = Digest.of(b"data")


def begun(
    blobs: BlobStore,
    *,
    name: str = "calm-heron",
    alpha: float = 0.5,
    entry_point: str = "train",
    source: Mapping[bytes, bytes] = SOURCE,
    lock: bytes = LOCK,
    tags: tuple[tuple[str, str], ...] = (),
) -> Run:
    """A run that has not ended; its source and lock are put into `blobs`."""
    manifest = snapshot_manifest(
        (path, 0o100644, blobs.add_bytes(content)) for path, content in source.items()
    )
    snapshot = blobs.add_bytes(manifest)
    lock_digest = Digest.of(b"identity of " + lock)
    plan = Plan(
        snapshot=snapshot,
        subfolder="",
        entry_point=entry_point,
        command="python train.py {alpha}",
        parameters=(PlanParameter(name="alpha", type=ParameterType.FLOAT, text=str(alpha)),),
        inputs=(PlanInput(name="data", digest=DATA),),
        outputs=("model.bin", "report"),
        metrics=(),
        timeout=None,
        environment="virtualenv",
        lock=lock_digest,
        python="3.11.7",
        platform="linux-x86_64",
        variables=(("PYTHONHASHSEED", "0"),),
    )
    job = Job(
        project="sample",
        uri="/somewhere/sample",
        experiment="Default",
        directory="/somewhere/sample",
        argv=("bash", "-c", f"python train.py {alpha}"),
        command=f"python train.py {alpha}",
        backend="local",
        user="ada",
        parameters=(
            ShownParameter(name="alpha", value=alpha, type="float", origin="given"),
            ShownParameter(name="kind", value="linear model", type="string", origin="default"),
        ),
        source=SourceState(uri="/somewhere/sample", commit="c" * 40, dirty=False, snapshot=snapshot, files=2),
        environment=EnvironmentState(
            kind="virtualenv",
            python="3.11.7",
            executable="/somewhere/bin/python",
            platform="linux-x86_64",
            lock=lock_digest,
            lock_format="pylock",
            lock_file=blobs.add_bytes(lock),
            because="the MLproject names it",
        ),
        inputs=(InputState(name="data", path="data.csv", kind="file", digest=DATA, size=4),),
        host=Host(
            name="lovelace", system="Linux", release="6", machine="x86_64", cpu="cpu", cores=2, memory_bytes=1
        ),
        variables=(("LANG", "C.UTF-8"),),
        tags=tags,
        mlproj_version="0.1.0",
    )
    return Run(run_id=uuid.uuid4().hex, name=name, created="2026-11-24T06:00:00.000Z", plan=plan, job=job)


def ended(
    blobs: BlobStore,
    run: Run,
    *,
    status: Status = Status.FINISHED,
    rmse: float | str = 0.25,
    stdout: bytes = b"training\nloss 1\n",
    model: bytes = b"model",
) -> Run:
    """The run with an outcome, whose logs and outputs are put into `blobs`."""
    logs = {
        "stdout": stdout,
        "stderr": b"warning\n",
        "times": f"0.1 stdout 9\n0.2 stderr 8\n0.3 stdout {len(stdout) - 9}\n".encode(),
    }
    report = folder_manifest(
        (path, blobs.add_bytes(content))
        for path, content in ((b"index.html", b"<p>"), (b"img/a.svg", b"<svg>"))
    )
    outcome = Outcome(
        status=status,
        exit_code=0 if status is Status.FINISHED else 3,
        started="2026-11-24T06:00:01.000Z",
        ended="2026-11-24T06:00:03.500Z",
        usage=Usage(wall_s=2.5, cpu_s=1.0, peak_rss_bytes=1024),
        metrics=(
            MetricPoint(key="rmse", value=0.75, step=0),
            MetricPoint(key="rmse", value=rmse, step=1),
            MetricPoint(key="r2", value=1.0),
        ),
        outputs=(
            Output(path="model.bin", state="written", digest=blobs.add_bytes(model), size=len(model)),
            Output(path="report", state="written", kind="folder", digest=blobs.add_bytes(report), size=8),
            Output(path="plot.png", state="missing"),
        ),
        logs=tuple(
            LogFile(name=name, digest=blobs.add_bytes(content), size=len(content))
            for name, content in logs.items()
        ),
    )
    return replace(run, outcome=outcome, status=status)
