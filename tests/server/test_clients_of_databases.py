"""The newest client goes through its calls against stores whose database is at a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.databases import KINDS, new_uri
from tests.mlflow_clients import ClientPython
from tests.server.test_clients import FURTHER, FURTHER_PARTS, go_through
from tests.store.servers.scene import serving


@pytest.mark.parametrize("kind", KINDS)
def test_the_client_notices_nothing(kind: str, client_python: ClientPython, tmp_path: Path) -> None:
    with serving(new_uri(kind), tmp_path / "beside") as scene:
        go_through(client_python("3"), scene.address, tmp_path)
        go_through(client_python("3"), scene.address, tmp_path, program=FURTHER, parts=FURTHER_PARTS)
