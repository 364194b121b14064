"""What a container uses up: read from its control group where that can be seen, else asked of the engine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

_ROOT = Path("/sys/fs/cgroup")
_MEMORY = (("total_rss", "total_mapped_file"), ("rss", "mapped_file"), ("anon", "file_mapped"))
"""What of `memory.stat` is resident memory, in both versions of control groups. What files take that are only
cached is not."""


class Meter:
    """The largest figures that were seen. `process` tells the id of a process of the container, `ask` is the
    engine's own answer: both take it a while, and are asked for where there is no other way."""

    def __init__(
        self, container: str, process: Callable[[], int], ask: Callable[[], Mapping[str, Any]]
    ) -> None:
        self.cpu_s = 0.0
        self.peak_rss_bytes = 0
        self._ask = ask
        self._memory, self._cpu = _usual(container) or _files(container, process())
        self.is_near = self._memory is not None
        """Whether a look costs next to nothing."""

    def look(self) -> None:
        """Notes what the container uses now; one that has ended uses nothing."""
        if self._memory is None or self._cpu is None:
            self._hear(self._ask())
            return
        with contextlib.suppress(OSError, ValueError):
            self._note(_pairs(self._memory.read_text()))
        with contextlib.suppress(OSError, ValueError):
            text = self._cpu.read_text()
            nanoseconds = int(text) if text.strip().isdigit() else _pairs(text)["usage_usec"] * 1000
            self.cpu_s = max(self.cpu_s, nanoseconds / 1e9)

    def _hear(self, stats: Mapping[str, Any]) -> None:
        self._note((stats.get("memory_stats") or {}).get("stats") or {})
        used = ((stats.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage", 0)
        self.cpu_s = max(self.cpu_s, used / 1e9)

    def _note(self, memory: Mapping[str, int]) -> None:
        found = next((names for names in _MEMORY if names[0] in memory), ())
        self.peak_rss_bytes = max(self.peak_rss_bytes, sum(memory.get(name, 0) for name in found))


def _usual(container: str) -> tuple[Path, Path] | None:
    """The same, where Docker puts its groups as long as nobody has told it otherwise."""
    for folder in (f"docker/{container}", f"system.slice/docker-{container}.scope"):
        for memory, cpu in (("", "cpu.stat"), ("memory", "cpuacct.usage")):
            place = _ROOT / memory / folder / "memory.stat"
            if place.exists():
                return place, _ROOT / ("cpuacct" if memory else "") / folder / cpu
    return None


def _files(container: str, pid: int) -> tuple[Path | None, Path | None]:
    """Where memory and processor time are told; nothing where the process is not this container's here."""
    memory = cpu = None
    for controllers, folder in _groups(pid):
        if container not in folder:
            continue
        if not controllers and (_ROOT / folder / "memory.stat").exists():
            memory, cpu = _ROOT / folder / "memory.stat", _ROOT / folder / "cpu.stat"
        if "memory" in controllers:
            memory = _ROOT / "memory" / folder / "memory.stat"
        if "cpuacct" in controllers:
            cpu = _ROOT / "cpuacct" / folder / "cpuacct.usage"
    return (memory, cpu) if memory is not None and cpu is not None else (None, None)


def _groups(pid: int) -> Iterator[tuple[tuple[str, ...], str]]:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, folder = line.split(":", 2)
            yield tuple(filter(None, controllers.split(","))), folder.strip("/")


def _pairs(text: str) -> dict[str, int]:
    return {name: int(number) for name, _, number in (line.partition(" ") for line in text.splitlines())}
