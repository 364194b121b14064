"""What a script logged, as it becomes part of the record; and every point of its metrics, as a file.

JSON has no number for NaN and the infinities: in records they are the words `NaN`, `Infinity`, `-Infinity`.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Iterable, Iterator

import msgspec

from mlproj.model.digest import Digest, canonical

Point = tuple[int, int, float]
"""Step, time and value: the order of points, NaN standing where 0 would, after it."""

LOGGED = "logged"
"""The type of a parameter that the script logged, and nobody planned."""

FEW_POINTS = 100
"""So many points of a run's metrics are compared one by one, and more by their digest."""

LARGEST = 2**53 - 1
"""Beyond it JSON's numbers are not exact: no step and no time is greater."""


class LoggedMetric(msgspec.Struct, frozen=True, kw_only=True):
    """A metric in sum: its latest point, the extremes (of all but NaN), and how many points there are."""

    key: str
    value: float | str
    step: int
    timestamp: int
    minimum: float | str | None
    maximum: float | str | None
    count: int


class LoggedDataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset that the script said it read. `schema` and `profile` name blobs."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: Digest | None = None
    profile: Digest | None = None
    tags: tuple[tuple[str, str], ...] = ()


class LoggedModelUse(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model that the run read (`input`) or made (`output`)."""

    model_id: str
    direction: str
    step: int = 0


class Logged(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was logged until the seal.

    `history` names a blob with every point of every metric, `traces` one with every trace. `untagged` are
    tags of the job that were taken away. `script_status` is the status that the script set; `experiment` the
    experiment where it is not the job's; `user` who ran it where there is no job.
    """

    params: tuple[tuple[str, str], ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    untagged: tuple[str, ...] = ()
    metrics: tuple[LoggedMetric, ...] = ()
    history: Digest | None = None
    traces: Digest | None = None
    datasets: tuple[LoggedDataset, ...] = ()
    models: tuple[LoggedModelUse, ...] = ()
    script_status: str | None = None
    experiment: str | None = None
    user: str | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A metric in sum, with numbers. `minimum` and `maximum` are None where every point is NaN."""

    step: int
    timestamp: int
    value: float
    minimum: float | None
    maximum: float | None
    count: int

    @property
    def latest(self) -> Point:
        return self.step, self.timestamp, self.value

    @property
    def cells(self) -> tuple[float | str, int, int, float | str | None, float | str | None, int]:
        """Value, step, time, extremes and count as records spell them."""
        return (
            spelt(self.value),
            self.step,
            self.timestamp,
            None if self.minimum is None else spelt(self.minimum),
            None if self.maximum is None else spelt(self.maximum),
            self.count,
        )


def order(point: Point) -> tuple[int, int, float, bool]:
    """What points are sorted by."""
    step, timestamp, value = point
    nan = value != value
    return step, timestamp, 0.0 if nan else value, nan


def summed(points: Iterable[Point], before: Summary | None = None) -> Summary:
    """The sum of `points`, of which there is one at least, and of those before them."""
    added = list(points)
    latest = max(added, key=order)
    numbers = [value for _, _, value in added if value == value]
    count = len(added)
    if before is not None:
        latest = max(latest, before.latest, key=order)
        numbers += [value for value in (before.minimum, before.maximum) if value is not None]
        count += before.count
    return Summary(
        step=latest[0],
        timestamp=latest[1],
        value=latest[2],
        minimum=min(numbers, default=None),
        maximum=max(numbers, default=None),
        count=count,
    )


def summary_of(metric: LoggedMetric) -> Summary:
    return Summary(
        step=metric.step,
        timestamp=metric.timestamp,
        value=number_of(metric.value),
        minimum=_extreme(metric.minimum),
        maximum=_extreme(metric.maximum),
        count=metric.count,
    )


def _extreme(spelling: float | str | None) -> float | None:
    """A record that somebody made up may have NaN for one, which is none: no database would keep it."""
    number = math.nan if spelling is None else number_of(spelling)
    return None if math.isnan(number) else number


def logged_metric(key: str, summary: Summary) -> LoggedMetric:
    value, step, timestamp, minimum, maximum, count = summary.cells
    return LoggedMetric(
        key=key,
        value=value,
        step=step,
        timestamp=timestamp,
        minimum=minimum,
        maximum=maximum,
        count=count,
    )


def spelt(number: float) -> float | str:
    """A number as a record spells it."""
    if math.isfinite(number):
        return float(number)
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def number_of(value: float | str) -> float:
    """The number that a record spells."""
    return float(value)


def point_lines(points: Iterable[tuple[str, Point]]) -> Iterator[bytes]:
    """A line of canonical JSON for each point, by the key of its metric."""
    last, beginning = None, b""
    for key, (step, timestamp, value) in points:
        if key != last:
            last, beginning = key, _beginning(key)
        yield b'%s%d,"timestamp":%d,"value":%s}\n' % (beginning, step, timestamp, _spelt_json(value))


@functools.lru_cache(maxsize=1024)
def _beginning(key: str) -> bytes:
    return b'{"key":%s,"step":' % canonical(key)


def digest_of_points(points: Iterable[tuple[str, Point]]) -> Digest | None:
    """The digest of the lines of these points, which are sorted; None where there is none."""
    hasher, found = hashlib.sha256(), False
    for line in point_lines(points):
        hasher.update(line)
        found = True
    return Digest.from_hex(hasher.hexdigest()) if found else None


def read_points(lines: Iterable[bytes | str]) -> Iterator[tuple[str, Point]]:
    """The points that `point_lines` wrote. Raises ValueError."""
    for line in lines:
        if line.strip():
            try:
                found = json.loads(line)
                yield str(found["key"]), (int(found["step"]), int(found["timestamp"]), float(found["value"]))
            except (TypeError, KeyError) as error:
                raise ValueError(f"not a point of a metric: {line!r}") from error


def _spelt_json(value: float) -> bytes:
    """The number in canonical JSON. Python spells most numbers as JavaScript does, and many times faster."""
    text = repr(value)
    if "e" in text or "n" in text:
        return canonical(spelt(value))
    if value == 0:
        return b"0"
    return (text[:-2] if text.endswith(".0") else text).encode()
