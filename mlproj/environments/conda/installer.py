"""Links the packages of a lock into a folder with rattler, out of its package cache first."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

import rattler

from mlproj.environments.conda.configuration import Configuration, public
from mlproj.environments.conda.failures import translated
from mlproj.environments.conda.network import client, rattler_config
from mlproj.environments.conda.request import platform_here
from mlproj.environments.conda.solver import locked_records
from mlproj.errors import EnvironmentFailed
from mlproj.files import digest_of
from mlproj.model.events import Ended, Note, Progress, Report


def install(
    text: str,
    folder: Path,
    *,
    cache: Path,
    configuration: Configuration,
    origins: tuple[str, ...],
    report: Report,
) -> None:
    """Makes `folder` the environment of the lock file `text`, for this platform.

    `origins` are channels with credentials. Raises EnvironmentFailed, also where an archive has another hash.
    """
    with translated("the packages of the lock cannot be installed", "conda.lock", origins):
        records = _records(text, origins)
        config = rattler_config(configuration)
        for record in records:
            _check_local(record)
        asyncio.run(_linked(records, folder, cache / "conda" / "packages", config, report))
    if config.run_post_link_scripts != "insecure":
        _tell_of_scripts(folder, report)


async def _linked(
    records: list[rattler.RepoDataRecord], folder: Path, cache: Path, config: rattler.Config, report: Report
) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    await rattler.install(
        records,
        folder,
        # A file that somebody changed in an environment may be the cache's own, by way of a hard link.
        package_cache=rattler.PackageCache.from_layers(
            [rattler.PackageCacheLayer(cache).with_validation_mode(rattler.ValidationMode.full())]
        ),
        client=client(config),
        config=config,
        show_progress=False,
        # Only those of its methods are called that there are.
        reporter=cast(rattler.InstallerReporter, _Teller(report)),
    )


def _records(text: str, origins: tuple[str, ...]) -> list[rattler.RepoDataRecord]:
    with tempfile.TemporaryDirectory(prefix="mlproj-") as folder:
        path = Path(folder, "conda.lock")
        path.write_text(text, encoding="utf-8")
        records = locked_records(path, platform_here())
    if records is None:
        raise EnvironmentFailed(f"the lock holds nothing for this machine, which is `{platform_here()}`")
    for record in records:
        for origin in origins:
            told = public(origin)
            if record.url.startswith(f"{told.rstrip('/')}/"):
                record.url = f"{origin}{record.url.removeprefix(told)}"
    return records


def _check_local(record: rattler.RepoDataRecord) -> None:
    """Refuses an archive on this machine that is not the locked one: rattler looks at downloads alone."""
    path = Path(unquote(urlsplit(record.url).path))
    if not record.url.startswith("file:") or record.sha256 is None or not path.is_file():
        return
    found, _ = digest_of(path)
    if found.hex != record.sha256.hex():
        raise EnvironmentFailed(
            f"`{record.file_name}` is not what was locked: its hash is {found}, not {record.sha256.hex()}",
            hint="`--refresh` locks what the channel has now, if it is to be trusted",
        )


def _tell_of_scripts(folder: Path, report: Report) -> None:
    scripts: Iterable[Path] = sorted((folder / "bin").glob(".*-post-link.sh"))
    for script in scripts:
        name = script.name.removeprefix(".").removesuffix("-post-link.sh")
        report(
            Note(
                message=f"`{name}` has a script to be run once it is installed, which was not run: set"
                ' `run-post-link-scripts = "insecure"` in rattler\'s configuration to have such scripts run'
            )
        )


class _Teller:
    """Tells how many bytes came and how many packages are linked."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._total = 0
        self._linked = 0
        self._came: dict[int, int] = {}
        self._expected: dict[int, int] = {}

    def on_transaction_start(self, total_operations: int) -> None:
        self._total = total_operations

    def on_download_start(self, cache_entry: int) -> int:
        number = len(self._came)
        self._came[number] = self._expected[number] = 0
        return number

    def on_download_progress(self, download_idx: int, progress: int, total: int | None) -> None:
        self._came[download_idx] = progress
        self._expected[download_idx] = total or progress
        came, expected = sum(self._came.values()), sum(self._expected.values())
        self._report(Progress(stage="download", done=came, total=expected, unit="bytes"))

    def on_link_complete(self, index: int) -> None:
        self._linked += 1
        if self._linked == self._total and self._came:
            self._report(Ended(stage="download"))
        self._report(Progress(stage="install", done=self._linked, total=self._total, unit="packages"))
