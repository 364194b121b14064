"""Webhooks as people make and try them: to addresses that may be sent to, of events that there are."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Sequence

from msgspec import UNSET

from mlproj.errors import UsageError
from mlproj.model.tracking import Page
from mlproj.model.webhook_examples import EXAMPLES
from mlproj.model.webhooks import (
    CROSSED,
    EVENTS,
    MLFLOWS,
    RUN_ENDS,
    TRANSITIONED,
    Answered,
    Delivery,
    NewWebhook,
    Outgoing,
    Webhook,
    WebhookChanges,
    message,
)
from mlproj.webhook_ports import KeptWebhooks, Sender

_NAME = re.compile(r"(?=.{1,63}\Z)[a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?", re.ASCII)
_LONGEST_SECRET = 1000
_LONGEST_DESCRIPTION = 1000
_LONGEST_METRIC = 250
_OF_MODELS = frozenset({*MLFLOWS, TRANSITIONED, CROSSED})
_OF_EXPERIMENTS = frozenset({*RUN_ENDS, CROSSED})


class CheckedWebhooks:
    """The `Webhooks` over those that are kept."""

    def __init__(self, kept: KeptWebhooks, sender: Callable[[], Sender], clock: Callable[[], str]) -> None:
        self._kept = kept
        self._sender = sender
        self._clock = clock

    def add(self, new: NewWebhook) -> Webhook:
        _refuse_name(new.name)
        _refuse_events(new.events)
        _refuse_long(new.description, new.secret or "")
        _refuse_scope(new)
        self._sender().refuse(new.url)
        return self._kept.add(new)

    def get(self, webhook_id: str) -> Webhook:
        return self._kept.get(webhook_id)

    def listing(
        self, page: Page, *, among: Sequence[str] | None = None
    ) -> tuple[Sequence[Webhook], str | None]:
        return self._kept.listing(page, among=among)

    def change(self, webhook_id: str, changes: WebhookChanges) -> Webhook:
        known = self._kept.get(webhook_id)
        if changes.name is not UNSET:
            _refuse_name(changes.name)
        if changes.events is not UNSET:
            _refuse_events(changes.events)
            _refuse_unfit(changes.events, known.experiment_id, known.model, bool(known.condition))
        _refuse_long(
            "" if changes.description is UNSET else changes.description,
            "" if changes.secret is UNSET else changes.secret,
        )
        if changes.url is not UNSET:
            self._sender().refuse(changes.url)
        return self._kept.change(webhook_id, changes)

    def remove(self, webhook_id: str) -> None:
        self._kept.remove(webhook_id)

    def outgoing(self, webhook_id: str, body: str, delivery_id: str) -> Outgoing:
        return self._kept.outgoing(webhook_id, body, delivery_id)

    def test(self, webhook_id: str, event: str | None) -> Answered:
        known = self._kept.get(webhook_id)
        event = event or known.events[0]
        _refuse_events((event,))
        body = message(event, self._clock(), EXAMPLES[event])
        return self._sender().send(self._kept.outgoing(webhook_id, body, str(uuid.uuid4())))

    def deliveries(self, webhook_id: str | None, limit: int) -> Sequence[Delivery]:
        return self._kept.deliveries(webhook_id, limit)

    def retry(self, numbers: Sequence[int]) -> int:
        return self._kept.retry(numbers)


def _refuse_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"Webhook name {name[:100]!r} is invalid. It must start and end with a letter or digit, be less "
            "than 63 characters long, and contain only letters, digits, dots (.), underscores (_), and "
            "hyphens (-)."
        )


def _refuse_events(events: Sequence[str]) -> None:
    if not events:
        raise UsageError("Webhook events cannot be empty")
    for event in events:
        if event not in EVENTS:
            raise UsageError(f"there is no event `{event[:100]}`", hint=f"one of {', '.join(EVENTS)}")


def _refuse_long(description: str, secret: str) -> None:
    if len(description) > _LONGEST_DESCRIPTION:
        raise UsageError(f"the description of a webhook has {_LONGEST_DESCRIPTION} characters at most")
    if len(secret) > _LONGEST_SECRET:
        raise UsageError(f"the secret of a webhook has {_LONGEST_SECRET} characters at most")


def _refuse_scope(new: NewWebhook) -> None:
    condition = new.condition
    if condition is not None:
        if not condition.key or len(condition.key) > _LONGEST_METRIC:
            raise UsageError(f"the name of a metric has {_LONGEST_METRIC} characters at most")
        if not math.isfinite(condition.number):
            raise UsageError("a threshold is a number")
    _refuse_unfit(new.events, new.experiment_id, new.model, condition is not None)


def _refuse_unfit(
    events: Sequence[str], experiment_id: str | None, model: str | None, has_condition: bool
) -> None:
    """Raises UsageError where something would never be told, and nobody would know why."""
    if has_condition != (CROSSED in events):
        raise UsageError(
            f"the event `{CROSSED}` and what a metric has to come to belong together",
            hint="such as `rmse > 0.5`",
        )
    if experiment_id is not None and model is not None:
        raise UsageError("a webhook hears of one experiment or of one registered model, and not of both")
    for scope, fit, called in (
        (experiment_id, _OF_EXPERIMENTS, "an experiment"),
        (model, _OF_MODELS, "a registered model"),
    ):
        strange = [event for event in events if event not in fit]
        if scope is not None and strange:
            raise UsageError(f"`{strange[0]}` is no event of {called}", hint="make another webhook for it")
