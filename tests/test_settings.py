from __future__ import annotations

import os
import subprocess
import sys

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


def test_whoever_has_no_name_has_a_number() -> None:
    """As the user of many a container, whom no file knows."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    code = "import os; from mlproj.settings import user_name; os.setuid(54321); print(user_name())"
    environ = {
        name: value
        for name, value in os.environ.items()
        if name not in ("LOGNAME", "USER", "USERNAME", "LNAME")
    }
    command = (sys.executable, "-c", code)
    assert subprocess.run(command, env=environ, capture_output=True, text=True).stdout == "54321\n"
