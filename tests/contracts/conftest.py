"""What the contracts of tracking stores share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlproj.tracking_ports import Tracking
from tests.contracts.served import Served
from tests.contracts.trackings import TRACKINGS


@pytest.fixture(params=TRACKINGS)
def tracking(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tracking]:
    tracking = TRACKINGS[request.param](tmp_path)
    yield tracking
    tracking.close()


@pytest.fixture
def served(tracking: Tracking) -> Served:
    return Served(tracking.experiments, tracking.runs)
