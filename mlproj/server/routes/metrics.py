"""The points of a metric over time: all of them, page by page, or thinned out for a picture."""

from __future__ import annotations

from mlproj.model.tracking import Page
from mlproj.server import limits
from mlproj.server.desk import Desk
from mlproj.server.failures import invalid
from mlproj.server.route import Route, get
from mlproj.server.routes.runs import run_of
from mlproj.server.wire.runs import GetMetricHistories, GetMetricHistory, GetWholeHistories, Metrics
from mlproj.server.wire.values import ToldMetric, told_metric

MOST_POINTS = 25_000
MOST_PER_RUN = 2500
MOST_RUNS = 100


def history(desk: Desk, asked: GetMetricHistory) -> Metrics:
    page = None
    if asked.max_results is not None:
        limit = min(limits.results(asked.max_results, 2**31), MOST_POINTS)
        page = Page(limit=limit, token=asked.page_token or None)
    points, token = desk.tracking.runs.history(run_of(asked), asked.metric_key, page)
    return Metrics(metrics=tuple(map(told_metric, points)), next_page_token=token)


def whole(desk: Desk, asked: GetWholeHistories) -> Metrics:
    """Every point of several runs, up to so many altogether: by run, time and step."""
    if len(asked.run_id) > MOST_RUNS:
        raise invalid(
            f"GetMetricHistoryBulk request cannot specify more than {MOST_RUNS} run_ids. "
            f"Received {len(asked.run_id)} run_ids."
        )
    most = MOST_POINTS if asked.max_results is None else min(asked.max_results, MOST_POINTS)
    if most <= 0:
        raise invalid(f"max_results must be between 1 and {MOST_POINTS}.")
    told: list[ToldMetric] = []
    for run_id in sorted(asked.run_id):
        points, _ = desk.tracking.runs.history(run_id, asked.metric_key, Page(limit=most - len(told)))
        by_time = sorted(points, key=lambda point: (point.timestamp, point.step))
        told += [told_metric(point, run_id) for point in by_time]
        if len(told) >= most:
            break
    return Metrics(metrics=tuple(told))


def thinned(desk: Desk, asked: GetMetricHistories) -> Metrics:
    if len(asked.run_ids) > MOST_RUNS:
        raise invalid(
            f"GetMetricHistoryBulkInterval request must specify at most {MOST_RUNS} run_ids. "
            f"Received {len(asked.run_ids)} run_ids."
        )
    most = MOST_PER_RUN if asked.max_results is None else asked.max_results
    if not 1 <= most <= MOST_PER_RUN:
        raise invalid(f"max_results must be between 1 and {MOST_PER_RUN}.")
    if (asked.start_step is None) != (asked.end_step is None):
        raise invalid("If either start step or end step are specified, both must be specified.")
    if asked.start_step is not None and asked.end_step is not None and asked.start_step > asked.end_step:
        raise invalid(
            f"end_step must be greater than start_step. Found start_step={asked.start_step} and "
            f"end_step={asked.end_step}."
        )
    points = desk.tracking.runs.sampled(
        asked.run_ids, asked.metric_key, most, first=asked.start_step, last=asked.end_step
    )
    return Metrics(metrics=tuple(told_metric(point, run_id) for run_id, point in points))


ROUTES: tuple[Route, ...] = (
    get("metrics/get-history", GetMetricHistory, Metrics, history),
    get("metrics/get-history-bulk", GetWholeHistories, Metrics, whole),
    get("metrics/get-history-bulk-interval", GetMetricHistories, Metrics, thinned),
)
