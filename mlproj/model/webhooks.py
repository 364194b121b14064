"""Webhooks: who is told of what, and how each telling went. Times are in milliseconds since the epoch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

MLFLOWS = (
    "registered_model.created",
    "model_version.created",
    "model_version_tag.set",
    "model_version_tag.deleted",
    "model_version_alias.created",
    "model_version_alias.deleted",
    "prompt.created",
    "prompt_version.created",
    "prompt_tag.set",
    "prompt_tag.deleted",
    "prompt_version_tag.set",
    "prompt_version_tag.deleted",
    "prompt_alias.created",
    "prompt_alias.deleted",
    "budget_policy.exceeded",
)
"""The events that MLflow's clients know, each an entity and what became of it. Of the last, which is of a
gateway to language models, there is never one here."""

TRANSITIONED = "model_version.transitioned"
CROSSED = "metric.crossed"
RUN_ENDS = ("run.finished", "run.failed", "run.killed")
OURS = (TRANSITIONED, *RUN_ENDS, CROSSED)
EVENTS = (*MLFLOWS, *OURS)


class Comparison(str, Enum):
    """How a metric has to stand to a threshold."""

    ABOVE = ">"
    AT_LEAST = ">="
    BELOW = "<"
    AT_MOST = "<="


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """What the newest value of a metric has to come to."""

    metric: str
    comparison: Comparison
    threshold: float

    def __str__(self) -> str:
        short = f"{self.threshold:g}"
        number = short if float(short) == self.threshold else repr(self.threshold)
        return f"{self.metric} {self.comparison.value} {number}"


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """One that is to be. It hears of one experiment alone, or of one registered model, where it says so."""

    name: str
    url: str
    events: tuple[str, ...]
    description: str = ""
    secret: str | None = None
    active: bool = True
    experiment_id: str | None = None
    model: str | None = None
    condition: Condition | None = None


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """An address that is told of events. Its secret is told to nobody."""

    webhook_id: str
    name: str
    url: str
    events: tuple[str, ...]
    created: int
    updated: int
    description: str = ""
    signed: bool = False
    active: bool = True
    experiment_id: str | None = None
    model: str | None = None
    condition: Condition | None = None


class WebhookChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be another about a webhook; what is not set stays. An empty secret is none."""

    name: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    events: tuple[str, ...] | UnsetType = UNSET
    description: str | UnsetType = UNSET
    secret: str | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class DeliveryState(str, Enum):
    """Whether an event still has to reach its webhook, did, or never will of itself."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to one webhook. `status` and `error` are of the last attempt."""

    number: int
    webhook_id: str
    delivery_id: str
    event: str
    state: DeliveryState
    attempts: int
    created: int
    tried: int | None = None
    next: int | None = None
    status: int | None = None
    error: str | None = None


class WebhookRules(msgspec.Struct, frozen=True, kw_only=True):
    """What may be sent to, and how: `private` allows addresses of this machine and its network, and plain
    HTTP to this machine; with `http`, that goes anywhere. An attempt takes `timeout_s` at most, and one that
    fails is followed by so many `retries`."""

    private: bool = False
    http: bool = False
    timeout_s: float = 30.0
    retries: int = 11


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent to a webhook, signed where it has a secret."""

    url: str
    body: str
    delivery_id: str
    secret: str | None = None


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that is attempted now, for the `attempt`th time; `outgoing` is None where its secret cannot
    be read, as `error` says."""

    number: int
    attempt: int
    outgoing: Outgoing | None
    error: str | None = None


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt went: what was answered, or why nothing was. With `again` it may go better later, after
    `wait` seconds where the receiver said so."""

    status: int | None = None
    body: str = ""
    error: str | None = None
    again: bool = False
    wait: float | None = None

    @property
    def accepted(self) -> bool:
        return self.error is None


def message(event: str, time: str, data: Mapping[str, Any]) -> str:
    """The body that tells of an event, as MLflow has it."""
    entity, _, action = event.partition(".")
    # As Python writes the zone, and reads it before 3.11.
    timestamp = time.replace("Z", "+00:00")
    return json.dumps({"entity": entity, "action": action, "timestamp": timestamp, "data": data})
