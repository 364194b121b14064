"""What the contracts of tracking stores share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.served import Served
from tests.contracts.trackings import TRACKINGS


@pytest.fixture(params=TRACKINGS)
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    tracking = TRACKINGS[request.param](tmp_path)
    yield Served(tracking.experiments, tracking.runs)
    tracking.close()
