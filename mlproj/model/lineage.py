"""What something came from, and what came of it: a graph of data, runs and models, joined by content.

Edges lead from what was there first to what came of it.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from mlproj.model.digest import Digest
from mlproj.model.run import EnvironmentState, Imported, Run
from mlproj.model.source import SourceState
from mlproj.model.trigger import Trigger


class Role(str, Enum):
    """What an edge says."""

    READ = "read"
    """The run was given the data (or model, or dataset)."""
    READ_UNDECLARED = "read undeclared"
    """The run was seen to read data that nobody declared."""
    MADE = "made"
    """The run left the data, or logged the model."""
    MADE_PART = "made part of"
    """The run left files that lie in the folder."""
    BEGAN = "began"
    """The run's script began the other run."""
    REGISTERED = "registered as"
    TRIGGERED = "triggered"
    """A metric of the run had a watch start the other run."""
    PRECEDED = "came before"
    """The run is the one that the watch started before."""


class DataNode(msgspec.Struct, frozen=True, kw_only=True, tag="data", tag_field="kind"):
    """A file or folder by its content; by its address where nobody knows that. `paths` are where it was."""

    id: str
    form: str
    """`file`, `folder` or `uri`."""
    digest: Digest | None
    size: int | None = None
    paths: tuple[str, ...] = ()
    remote: tuple[tuple[str, str], ...] = ()


class RunNode(msgspec.Struct, frozen=True, kw_only=True, tag="run", tag_field="kind"):
    """A run, with what tells how its results came about."""

    id: str
    run_id: str
    name: str
    status: str
    created: str
    ended: str | None = None
    hidden: bool = False
    project: str | None = None
    entry_point: str | None = None
    command: str | None = None
    user: str | None = None
    host: str | None = None
    source: SourceState | None = None
    environment: EnvironmentState | None = None
    parameters: dict[str, str | int | float | bool] = {}
    metrics: dict[str, float | str] = {}
    plan: Digest | None = None
    record: Digest | None = None
    reproduces: str | None = None
    imported: Imported | None = None
    trigger: Trigger | None = None


class ModelNode(msgspec.Struct, frozen=True, kw_only=True, tag="model", tag_field="kind"):
    """A model that was logged (`models:/m-…`) or registered (`models:/name/version`)."""

    id: str
    name: str
    model_id: str | None = None
    version: int | None = None
    stage: str | None = None
    aliases: tuple[str, ...] = ()
    type: str | None = None
    run_id: str | None = None
    source: str | None = None


class DatasetNode(msgspec.Struct, frozen=True, kw_only=True, tag="dataset", tag_field="kind"):
    """A dataset that scripts logged; the digest is MLflow's, of what it looked at."""

    id: str
    name: str
    digest: str
    source_type: str
    source: str


Node = DataNode | RunNode | ModelNode | DatasetNode


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """That `target` came of `source`, both by the ids of their nodes. `paths` are as the record has them.

    `doubt` says why it cannot have been so, although the content is the same.
    """

    source: str
    target: str
    role: Role
    paths: tuple[str, ...] = ()
    doubt: str | None = None


class More(msgspec.Struct, frozen=True, kw_only=True):
    """That `count` further runs stand in that relation to a node, and were left out."""

    id: str
    role: Role
    count: int


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """The graph about what was asked for, which is the node `root`. `cut` says that it goes on."""

    root: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    more: tuple[More, ...] = ()
    cut: bool = False


def run_node(run: Run) -> RunNode:
    """A run as it stands in a graph."""
    job, plan, outcome = run.job, run.plan, run.outcome
    logged = None if outcome is None else outcome.logged
    given = () if job is None else job.parameters
    return RunNode(
        id=run_id_of(run.run_id),
        run_id=run.run_id,
        name=run.name,
        status=run.status.value,
        created=run.created,
        ended=None if outcome is None else outcome.ended,
        hidden=run.deleted,
        project=None if job is None else job.project,
        entry_point=None if plan is None else plan.entry_point,
        command=None if job is None else job.command,
        user=None if job is None else job.user,
        host=None if job is None else job.host.name,
        source=None if job is None else job.source,
        environment=None if job is None else job.environment,
        parameters={
            **dict(() if logged is None else logged.params),
            **{item.name: item.value for item in given},
        },
        metrics={} if outcome is None else outcome.latest,
        plan=None if plan is None else plan.identity,
        record=run.record,
        reproduces=run.reproduces,
        imported=run.imported,
        trigger=None if job is None else job.trigger,
    )


def run_id_of(run_id: str) -> str:
    """The id of a run's node."""
    return f"run:{run_id}"
