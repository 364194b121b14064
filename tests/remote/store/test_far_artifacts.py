"""What a runner brings among its run's artifacts is there for clients of tracking, wherever files lie."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj.model.run import Output
from mlproj.services.verify import verify
from mlproj.store.objects.opening import open_artifacts
from tests.remote.store.serving import far, serving
from tests.s3_server import S3Server
from tests.store.runs import begun, ended


@pytest.mark.parametrize("elsewhere", [False, True])
def test_it_is_among_the_artifacts_once(tmp_path: Path, s3: S3Server, *, elsewhere: bool) -> None:
    destination = s3.bucket() if elsewhere else None
    with serving(tmp_path / "server", destination=destination) as (uri, there):
        store = far(uri, tmp_path / "cache")
        run = begun(store.blobs)
        artifacts = open_artifacts(there)
        with store.begin(run):
            # The script logs a file of the same name, and one of its own.
            for name in ("both.txt", "logged.txt"):
                artifacts.write(f"runs/{run.run_id}/artifacts/{name}", iter([b"logged"]))
            digest = store.blobs.add_bytes(b"brought")
            done = ended(store.blobs, run)
            assert done.outcome is not None
            brought = tuple(
                Output(path=f"artifacts/{name}", state="written", digest=digest, size=7, declared=False)
                for name in ("both.txt", "deep/brought.txt")
            )
            outcome = replace(done.outcome, outputs=(*done.outcome.outputs, *brought))
            sealed = store.seal(replace(done, outcome=outcome))
        assert sealed.outcome is not None
        paths = [output.path for output in sealed.outcome.outputs if output.path.startswith("artifacts/")]
        assert sorted(paths) == ["artifacts/both.txt", "artifacts/deep/brought.txt", "artifacts/logged.txt"]
        root = f"runs/{run.run_id}/artifacts"
        assert b"".join(artifacts.read(f"{root}/both.txt")) == b"brought"
        assert b"".join(artifacts.read(f"{root}/deep/brought.txt")) == b"brought"
        assert b"".join(artifacts.read(f"{root}/logged.txt")) == b"logged"
        assert verify(there).sound
