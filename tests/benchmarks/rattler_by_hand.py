"""Solves and links with rattler and nothing else: what `tests.benchmarks.conda` measures mlproj against."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import rattler


async def main(source: str, prefix: str, cache: str, packages: str) -> None:
    records = await rattler.solve(
        [rattler.Channel(source)],
        ["python", *(f"part-{number}" for number in range(int(packages)))],
        gateway=rattler.Gateway(cache_dir=Path(cache, "channels")),
        virtual_packages=rattler.VirtualPackage.detect(),
        add_pip_as_python_dependency=True,
    )
    await rattler.install(records, prefix, cache_dir=Path(cache, "packages"), show_progress=False)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
    # Now and then its threads have Python abort as it ends.
    os._exit(0)
