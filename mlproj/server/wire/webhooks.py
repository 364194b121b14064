"""Webhooks on the wire: as MLflow's clients have them, and as ours do, for what those have no words for."""

from __future__ import annotations

from mlproj.model.webhooks import MLFLOWS, Answered, Delivery, Webhook
from mlproj.server.failures import invalid
from mlproj.server.wire.values import Answer, EnumValue, Int64, Named, Request

_ENTITIES = (
    "REGISTERED_MODEL",
    "MODEL_VERSION",
    "MODEL_VERSION_TAG",
    "MODEL_VERSION_ALIAS",
    "PROMPT",
    "PROMPT_VERSION",
    "PROMPT_TAG",
    "PROMPT_VERSION_TAG",
    "PROMPT_ALIAS",
    "BUDGET_POLICY",
)
_ACTIONS = ("CREATED", "UPDATED", "DELETED", "SET", "EXCEEDED")
_STATUSES = ("ACTIVE", "DISABLED")


class AskedEvent(Request, frozen=True, kw_only=True):
    """What it is of, and what became of it."""

    entity: EnumValue
    action: EnumValue


class CreateWebhook(Request, frozen=True, kw_only=True):
    name: Named
    url: Named
    events: tuple[AskedEvent, ...]
    description: str | None = None
    secret: str | None = None
    status: EnumValue | None = None


class ListWebhooks(Request, frozen=True, kw_only=True):
    max_results: Int64 | None = None
    page_token: str | None = None


class NamedWebhook(Request, frozen=True, kw_only=True):
    webhook_id: Named


class UpdateWebhook(NamedWebhook, frozen=True, kw_only=True):
    name: str | None = None
    url: str | None = None
    events: tuple[AskedEvent, ...] | None = None
    description: str | None = None
    secret: str | None = None
    status: EnumValue | None = None


class TestWebhook(NamedWebhook, frozen=True, kw_only=True):
    event: AskedEvent | None = None


class ToldEvent(Answer, frozen=True, kw_only=True):
    entity: str
    action: str


class ToldWebhook(Answer, frozen=True, kw_only=True):
    webhook_id: str
    name: str
    description: str | None = None
    url: str
    events: tuple[ToldEvent, ...]
    status: str
    creation_timestamp: int
    last_updated_timestamp: int


class OneWebhook(Answer, frozen=True, kw_only=True):
    webhook: ToldWebhook


class ManyWebhooks(Answer, frozen=True, kw_only=True):
    webhooks: tuple[ToldWebhook, ...] = ()
    next_page_token: str | None = None


class ToldTest(Answer, frozen=True, kw_only=True):
    success: bool
    response_status: int | None = None
    response_body: str | None = None
    error_message: str | None = None


class Tested(Answer, frozen=True, kw_only=True):
    result: ToldTest


class AddWebhook(Request, frozen=True, kw_only=True):
    """Ours: events by name, and what a metric has to come to as `rmse > 0.5`."""

    name: Named
    url: Named
    events: tuple[str, ...]
    description: str = ""
    secret: str | None = None
    status: EnumValue | None = None
    experiment_id: str | None = None
    model: str | None = None
    when: str | None = None


class ChangeWebhook(NamedWebhook, frozen=True, kw_only=True):
    name: str | None = None
    url: str | None = None
    events: tuple[str, ...] | None = None
    description: str | None = None
    secret: str | None = None
    status: EnumValue | None = None


class TryWebhook(NamedWebhook, frozen=True, kw_only=True):
    event: str | None = None


class OurWebhook(Answer, frozen=True, kw_only=True):
    webhook_id: str
    name: str
    description: str = ""
    url: str
    events: tuple[str, ...]
    status: str
    signed: bool
    creation_timestamp: int
    last_updated_timestamp: int
    experiment_id: str | None = None
    model: str | None = None
    when: str | None = None


class OneOfOurs(Answer, frozen=True, kw_only=True):
    webhook: OurWebhook


class ManyOfOurs(Answer, frozen=True, kw_only=True):
    webhooks: tuple[OurWebhook, ...] = ()
    next_page_token: str | None = None


class ListDeliveries(Request, frozen=True, kw_only=True):
    webhook_id: str | None = None
    max_results: Int64 = 100


class Deliveries(Answer, frozen=True, kw_only=True):
    """The newest first."""

    deliveries: tuple[Delivery, ...] = ()


class RetryDeliveries(Request, frozen=True, kw_only=True):
    """Those that failed; without numbers all of them."""

    numbers: tuple[Int64, ...] = ()


class Retried(Answer, frozen=True, kw_only=True):
    retried: int


def event_of(asked: AskedEvent) -> str:
    """Raises Failure in MLflow's words for what is no event of its own."""
    entity, action = _of(asked.entity, _ENTITIES, "entity"), _of(asked.action, _ACTIONS, "action")
    event = f"{entity}.{action}".lower()
    if event not in MLFLOWS:
        valid = sorted(each.partition(".")[2] for each in MLFLOWS if each.startswith(f"{entity.lower()}."))
        raise invalid(
            f"Invalid action '{action.lower()}' for entity '{entity.lower()}'. Valid actions are: {valid}"
        )
    return event


def is_active(status: EnumValue) -> bool:
    return _of(status, _STATUSES, "status") == "ACTIVE"


def told_webhook(known: Webhook) -> ToldWebhook:
    """With those of its events that MLflow's clients know."""
    events = (event.upper().split(".") for event in known.events if event in MLFLOWS)
    return ToldWebhook(
        webhook_id=known.webhook_id,
        name=known.name,
        description=known.description or None,
        url=known.url,
        events=tuple(ToldEvent(entity=entity, action=action) for entity, action in events),
        status=_status(known),
        creation_timestamp=known.created,
        last_updated_timestamp=known.updated,
    )


def our_webhook(known: Webhook) -> OurWebhook:
    return OurWebhook(
        webhook_id=known.webhook_id,
        name=known.name,
        description=known.description,
        url=known.url,
        events=known.events,
        status=_status(known),
        signed=known.signed,
        creation_timestamp=known.created,
        last_updated_timestamp=known.updated,
        experiment_id=known.experiment_id,
        model=known.model,
        when=None if known.condition is None else str(known.condition),
    )


def told_test(answered: Answered) -> ToldTest:
    """Of one that got no answer, as MLflow tells of it."""
    error = None
    if answered.status is None:
        error = f"Failed to test webhook: {answered.error}"
    return ToldTest(
        success=answered.accepted,
        response_status=answered.status,
        response_body=answered.body or None,
        error_message=error,
    )


def _status(known: Webhook) -> str:
    return _STATUSES[0] if known.active else _STATUSES[1]


def _of(value: EnumValue, names: tuple[str, ...], called: str) -> str:
    """The name of an enumeration's value, which counts from 1."""
    text = str(value)
    if text in names:
        return text
    if text.isdecimal() and 1 <= int(text[:9]) <= len(names):
        return names[int(text) - 1]
    raise invalid(f"Invalid value {text[:100]!r} for parameter {called!r} supplied.")
