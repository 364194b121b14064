"""Webhooks: MLflow's routes for its own events, and ours for those that it has no words for.

On MLflow's routes a webhook has those events alone that its clients know, and one without any is not there.
"""

from __future__ import annotations

from msgspec import UNSET

from mlproj.errors import NotFound
from mlproj.model.tracking import Page
from mlproj.model.webhooks import MLFLOWS, NewWebhook, Webhook, WebhookChanges
from mlproj.server import limits
from mlproj.server.desk import Desk
from mlproj.server.failures import DENIED, NO_ENDPOINT, Failure, invalid
from mlproj.server.route import Route, delete, get, patch, post
from mlproj.server.wire.values import Empty
from mlproj.server.wire.webhooks import (
    AddWebhook,
    ChangeWebhook,
    CreateWebhook,
    Deliveries,
    ListDeliveries,
    ListWebhooks,
    ManyOfOurs,
    ManyWebhooks,
    NamedWebhook,
    OneOfOurs,
    OneWebhook,
    Retried,
    RetryDeliveries,
    Tested,
    TestWebhook,
    TryWebhook,
    UpdateWebhook,
    event_of,
    is_active,
    our_webhook,
    told_test,
    told_webhook,
)
from mlproj.spec.threshold import read_threshold
from mlproj.webhook_ports import Webhooks

OURS = "2.0/mlproj"
_MOST = 1000
_USUAL = 100


def create(desk: Desk, asked: CreateWebhook) -> OneWebhook:
    webhooks = _managed(desk, asked.name)
    made = webhooks.add(
        NewWebhook(
            name=asked.name,
            url=asked.url,
            events=tuple(map(event_of, asked.events)),
            description=asked.description or "",
            secret=asked.secret or None,
            active=asked.status is None or is_active(asked.status),
        )
    )
    return OneWebhook(webhook=told_webhook(made))


def listing(desk: Desk, asked: ListWebhooks) -> ManyWebhooks:
    found, token = _known(desk).listing(_page(asked), among=MLFLOWS)
    return ManyWebhooks(webhooks=tuple(map(told_webhook, found)), next_page_token=token)


def fetch(desk: Desk, asked: NamedWebhook) -> OneWebhook:
    return OneWebhook(webhook=told_webhook(_mlflows(_known(desk), asked.webhook_id)))


def update(desk: Desk, asked: UpdateWebhook) -> OneWebhook:
    webhooks = _managed(desk, asked.webhook_id)
    known = _mlflows(webhooks, asked.webhook_id)
    events = None
    if asked.events:
        # Those of ours are not for whoever does not know them.
        ours = (event for event in known.events if event not in MLFLOWS)
        events = (*map(event_of, asked.events), *ours)
    changes = WebhookChanges(
        name=asked.name or UNSET,
        url=asked.url or UNSET,
        events=events or UNSET,
        description=UNSET if asked.description is None else asked.description,
        secret=UNSET if asked.secret is None else asked.secret,
        active=UNSET if asked.status is None else is_active(asked.status),
    )
    return OneWebhook(webhook=told_webhook(webhooks.change(asked.webhook_id, changes)))


def remove(desk: Desk, asked: NamedWebhook) -> Empty:
    webhooks = _managed(desk, asked.webhook_id)
    _mlflows(webhooks, asked.webhook_id)
    webhooks.remove(asked.webhook_id)
    return Empty()


def test(desk: Desk, asked: TestWebhook) -> Tested:
    webhooks = _managed(desk, asked.webhook_id)
    known = _mlflows(webhooks, asked.webhook_id)
    event = next(each for each in known.events if each in MLFLOWS)
    if asked.event is not None:
        event = event_of(asked.event)
    return Tested(result=told_test(webhooks.test(asked.webhook_id, event)))


def add_ours(desk: Desk, asked: AddWebhook) -> OneOfOurs:
    webhooks = _managed(desk, asked.name)
    made = webhooks.add(
        NewWebhook(
            name=asked.name,
            url=asked.url,
            events=asked.events,
            description=asked.description,
            secret=asked.secret or None,
            active=asked.status is None or is_active(asked.status),
            experiment_id=asked.experiment_id,
            model=asked.model,
            condition=None if asked.when is None else read_threshold(asked.when),
        )
    )
    return OneOfOurs(webhook=our_webhook(made))


def list_ours(desk: Desk, asked: ListWebhooks) -> ManyOfOurs:
    found, token = _known(desk).listing(_page(asked))
    return ManyOfOurs(webhooks=tuple(map(our_webhook, found)), next_page_token=token)


def fetch_ours(desk: Desk, asked: NamedWebhook) -> OneOfOurs:
    return OneOfOurs(webhook=our_webhook(_known(desk).get(asked.webhook_id)))


def change_ours(desk: Desk, asked: ChangeWebhook) -> OneOfOurs:
    changes = WebhookChanges(
        name=UNSET if asked.name is None else asked.name,
        url=UNSET if asked.url is None else asked.url,
        events=UNSET if asked.events is None else asked.events,
        description=UNSET if asked.description is None else asked.description,
        secret=UNSET if asked.secret is None else asked.secret,
        active=UNSET if asked.status is None else is_active(asked.status),
    )
    changed = _managed(desk, asked.webhook_id).change(asked.webhook_id, changes)
    return OneOfOurs(webhook=our_webhook(changed))


def remove_ours(desk: Desk, asked: NamedWebhook) -> Empty:
    _managed(desk, asked.webhook_id).remove(asked.webhook_id)
    return Empty()


def test_ours(desk: Desk, asked: TryWebhook) -> Tested:
    answered = _managed(desk, asked.webhook_id).test(asked.webhook_id, asked.event or None)
    return Tested(result=told_test(answered))


def deliveries(desk: Desk, asked: ListDeliveries) -> Deliveries:
    limit = limits.results(asked.max_results, _MOST)
    return Deliveries(deliveries=tuple(_known(desk).deliveries(asked.webhook_id or None, limit)))


def retry(desk: Desk, asked: RetryDeliveries) -> Retried:
    return Retried(retried=_managed(desk, "deliveries").retry(asked.numbers))


def _known(desk: Desk) -> Webhooks:
    """Those of the server, for whoever manages it: what a webhook is told is of everybody's things. Raises
    Failure."""
    if not desk.caller.admin or desk.grant.limited:
        raise Failure(DENIED, "Permission denied")
    if desk.webhooks is None:
        raise Failure(NO_ENDPOINT, "No webhooks are kept here")
    return desk.webhooks


def _managed(desk: Desk, thing: str) -> Webhooks:
    """As `_known`, to change something."""
    desk.caller.note("webhook", thing, changes=True)
    return _known(desk)


def _mlflows(webhooks: Webhooks, webhook_id: str) -> Webhook:
    known = webhooks.get(webhook_id)
    if not any(event in MLFLOWS for event in known.events):
        raise NotFound(f"Webhook with ID {webhook_id} not found.")
    return known


def _page(asked: ListWebhooks) -> Page:
    # MLflow takes none for as many as there usually are.
    most = asked.max_results or _USUAL
    if not 1 <= most <= _MOST:
        raise invalid(f"max_results must be between 1 and {_MOST}.")
    return Page(limit=most, token=asked.page_token or None)


ROUTES: tuple[Route, ...] = (
    post("webhooks", CreateWebhook, OneWebhook, create),
    get("webhooks", ListWebhooks, ManyWebhooks, listing),
    get("webhooks/{webhook_id}", NamedWebhook, OneWebhook, fetch),
    patch("webhooks/{webhook_id}", UpdateWebhook, OneWebhook, update),
    delete("webhooks/{webhook_id}", NamedWebhook, Empty, remove),
    post("webhooks/{webhook_id}/test", TestWebhook, Tested, test),
    post("webhooks", AddWebhook, OneOfOurs, add_ours, OURS),
    get("webhooks", ListWebhooks, ManyOfOurs, list_ours, OURS),
    get("webhooks/deliveries", ListDeliveries, Deliveries, deliveries, OURS),
    post("webhooks/deliveries/retry", RetryDeliveries, Retried, retry, OURS),
    get("webhooks/{webhook_id}", NamedWebhook, OneOfOurs, fetch_ours, OURS),
    patch("webhooks/{webhook_id}", ChangeWebhook, OneOfOurs, change_ours, OURS),
    delete("webhooks/{webhook_id}", NamedWebhook, Empty, remove_ours, OURS),
    post("webhooks/{webhook_id}/test", TryWebhook, Tested, test_ours, OURS),
)
