"""Whether the place where a store's files are kept can be reached: what a server that is asked says."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mlproj import wiring
from mlproj.errors import StoreError
from mlproj.store.objects.bucket import Bucket
from mlproj.store.objects.marks import MARK
from mlproj.store.opening import open_store
from tests.s3_server import S3Server


def test_a_folder_that_went_away_is_told(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store", create=True)
    artifacts = wiring.artifacts_of(store)
    artifacts.reach()
    shutil.move(tmp_path / "store" / "blobs", tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="blobs"):
        artifacts.reach()
    store.close()


def test_a_bucket_without_our_mark_is_told(tmp_path: Path, s3: S3Server) -> None:
    url = s3.bucket()
    store = open_store(tmp_path / "store", create=True, destination=url)
    artifacts = wiring.artifacts_of(store)
    artifacts.reach()
    Bucket(url, os.environ).remove(MARK)
    with pytest.raises(StoreError, match="is not there"):
        artifacts.reach()
    store.close()
