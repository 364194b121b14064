"""How webhooks, and what was sent to them, look on a terminal and in JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlproj.cli.sheet import Section
from mlproj.model.moment import timestamp
from mlproj.model.webhooks import Delivery
from mlproj.server.wire.webhooks import OurWebhook

_SHORT = 8


def webhooks_page(found: Sequence[OurWebhook]) -> tuple[Section, ...]:
    rows = tuple(
        (
            each.webhook_id[:_SHORT],
            each.name,
            each.url,
            each.status.lower(),
            "yes" if each.signed else "no",
            ", ".join(each.events),
            _only(each),
        )
        for each in found
    )
    return (Section(headings=("id", "name", "url", "is", "signed", "on", "only"), rows=rows),)


def deliveries_page(found: Sequence[Delivery], names: Mapping[str, str]) -> tuple[Section, ...]:
    rows = tuple(
        (
            str(each.number),
            names.get(each.webhook_id, each.webhook_id[:_SHORT]),
            each.event,
            each.state.value,
            str(each.attempts),
            _moment(each.tried) or "",
            _moment(each.next) or "",
            each.error or ("" if each.status is None else str(each.status)),
        )
        for each in found
    )
    headings = ("number", "webhook", "event", "is", "attempts", "last", "next", "answer")
    return (Section(headings=headings, rows=rows),)


def webhook_document(each: OurWebhook) -> dict[str, object]:
    return {
        "webhook": each.webhook_id,
        "name": each.name,
        "url": each.url,
        "events": list(each.events),
        "description": each.description,
        "active": each.status == "ACTIVE",
        "signed": each.signed,
        "experiment": each.experiment_id,
        "model": each.model,
        "when": each.when,
        "created": _moment(each.creation_timestamp),
        "updated": _moment(each.last_updated_timestamp),
    }


def delivery_document(each: Delivery, names: Mapping[str, str]) -> dict[str, object]:
    return {
        "number": each.number,
        "webhook": each.webhook_id,
        "name": names.get(each.webhook_id),
        "delivery": each.delivery_id,
        "event": each.event,
        "state": each.state.value,
        "attempts": each.attempts,
        "created": _moment(each.created),
        "tried": _moment(each.tried),
        "next": _moment(each.next),
        "status": each.status,
        "error": each.error,
    }


def _only(each: OurWebhook) -> str:
    """What else has to be so for it to be told."""
    parts = (
        each.when,
        None if each.experiment_id is None else f"in experiment {each.experiment_id}",
        None if each.model is None else f"of {each.model}",
    )
    return ", ".join(filter(None, parts))


def _moment(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else timestamp(milliseconds / 1000)
