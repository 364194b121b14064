"""What is said of a URL that cannot be downloaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlproj.errors import DataError
from mlproj.sources.download import download


@pytest.mark.parametrize("uri", ["runs:/0/model", "models:/m/1", "dbfs:/a", "s3:/a"])
def test_an_address_that_nothing_reads_is_not_taken_for_a_local_path(tmp_path: Path, uri: str) -> None:
    with pytest.raises(DataError, match=rf"nothing here reads `{uri.split(':')[0]}:` addresses"):
        download(uri, tmp_path / "storage", lambda event: None)
