from __future__ import annotations

import pytest

from mlproj.errors import UsageError
from mlproj.settings import Limits, limits


def test_a_size_is_read_with_and_without_a_unit() -> None:
    sizes = {
        "MLPROJ_LOG_LIMIT": "1000",
        "MLPROJ_SNAPSHOT_FILE_LIMIT": "1.5 MiB",
        "MLPROJ_SNAPSHOT_LIMIT": "2gb",
    }
    assert limits(sizes) == Limits(log=1000, file=1572864, snapshot=2 * 10**9)
    assert limits({"MLPROJ_LOG_LIMIT": ""}) == Limits()


@pytest.mark.parametrize("text", ["much", "-1", "1e3", "5 parsecs", "1 MiBB"])
def test_what_is_no_size_is_told_with_the_variable(text: str) -> None:
    with pytest.raises(UsageError, match="MLPROJ_LOG_LIMIT"):
        limits({"MLPROJ_LOG_LIMIT": text})
