"""Links the packages of a lock into a folder with rattler, out of its package cache first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

import rattler

from mlproj.environments.conda.addresses import public
from mlproj.environments.conda.failures import translated
from mlproj.environments.conda.network import client, rattler_config
from mlproj.environments.conda.orders import Linking
from mlproj.environments.conda.solver import locked_records
from mlproj.errors import EnvironmentFailed
from mlproj.files import digest_of
from mlproj.model.events import Progress


def install(order: Linking, tell: Callable[[Progress], None]) -> tuple[str, ...]:
    """Makes a folder the environment of a lock file; returns what a person should know of it.

    Raises EnvironmentFailed, also where an archive is not the one that was locked.
    """
    with translated("the packages of the lock cannot be installed", "conda.lock", order.origins):
        records = _records(order)
        config = rattler_config(order.network)
        for record in records:
            _check_local(record)
        asyncio.run(_linked(order, records, config, tell))
    return () if config.run_post_link_scripts == "insecure" else tuple(_left_out(Path(order.prefix)))


async def _linked(
    order: Linking,
    records: list[rattler.RepoDataRecord],
    config: rattler.Config,
    tell: Callable[[Progress], None],
) -> None:
    packages = Path(order.folder)
    packages.mkdir(parents=True, exist_ok=True)
    mode = rattler.ValidationMode.full() if order.thorough else rattler.ValidationMode.fast()
    await rattler.install(
        records,
        order.prefix,
        package_cache=rattler.PackageCache.from_layers(
            [rattler.PackageCacheLayer(packages).with_validation_mode(mode)]
        ),
        client=client(config),
        config=config,
        show_progress=False,
        # Only those of its methods are called that there are.
        reporter=cast(rattler.InstallerReporter, _Teller(tell)),
    )


def _records(order: Linking) -> list[rattler.RepoDataRecord]:
    records = locked_records(order.lock, order.platform)
    if records is None:
        raise EnvironmentFailed(f"the lock holds nothing for this machine, which is `{order.platform}`")
    for record in records:
        for origin in order.origins:
            told = public(origin)
            if record.url.startswith(f"{told.rstrip('/')}/"):
                record.url = f"{origin}{record.url.removeprefix(told)}"
        if order.artifacts is not None and (at_hand := Path(order.artifacts, record.file_name)).is_file():
            record.url = at_hand.as_uri()
        elif order.offline and not record.url.startswith("file:"):
            # Found in the package cache or nowhere: nothing is asked for on a network.
            record.url = (Path(order.folder) / "absent" / record.file_name).as_uri()
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


def _left_out(prefix: Path) -> Iterator[str]:
    for script in sorted((prefix / "bin").glob(".*-post-link.sh")):
        name = script.name.removeprefix(".").removesuffix("-post-link.sh")
        yield (
            f"`{name}` has a script to be run once it is installed, which was not run: set"
            ' `run-post-link-scripts = "insecure"` in rattler\'s configuration to have such scripts run'
        )


class _Teller:
    """Tells how many bytes came and how many packages are linked."""

    def __init__(self, tell: Callable[[Progress], None]) -> None:
        self._tell = tell
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
        self._tell(Progress(stage="download", done=came, total=expected, unit="bytes"))

    def on_link_complete(self, index: int) -> None:
        self._linked += 1
        self._tell(Progress(stage="install", done=self._linked, total=self._total, unit="packages"))
