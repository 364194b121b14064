"""Every seam of webhooks: who is told, what is to be told still, and how it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mlproj.model.tracking import Page
from mlproj.model.webhooks import Answered, Delivery, Due, NewWebhook, Outgoing, Webhook, WebhookChanges


class KeptWebhooks(Protocol):
    """The webhooks of a store, and the log of what was sent to them. May be used from several threads."""

    def add(self, new: NewWebhook) -> Webhook:
        """One that hears of what happens from now on. Raises UsageError, and NotFound for what it is to hear
        of."""
        ...

    def get(self, webhook_id: str) -> Webhook:
        """Raises NotFound."""
        ...

    def listing(
        self, page: Page, *, among: Sequence[str] | None = None
    ) -> tuple[Sequence[Webhook], str | None]:
        """The newest first, of those that hear of an event `among` these."""
        ...

    def change(self, webhook_id: str, changes: WebhookChanges) -> Webhook:
        """Raises UsageError, NotFound."""
        ...

    def remove(self, webhook_id: str) -> None:
        """With all that was to be sent to it. Raises NotFound."""
        ...

    def outgoing(self, webhook_id: str, body: str, delivery_id: str) -> Outgoing:
        """What is sent to it that is in no log. Raises NotFound, and StoreError where its secret cannot be
        read."""
        ...

    def deliveries(self, webhook_id: str | None, limit: int) -> Sequence[Delivery]:
        """Those of one webhook, or of all; the newest first. Raises NotFound."""
        ...

    def retry(self, numbers: Sequence[int]) -> int:
        """Has what failed sent again, and returns how many: these, or where none is named, all."""
        ...


class Webhooks(KeptWebhooks, Protocol):
    """The same, for those who may not name just any address."""

    def test(self, webhook_id: str, event: str | None) -> Answered:
        """Sends it an example of an event, else of its first one. Raises UsageError, NotFound."""
        ...


class Queue(Protocol):
    """What is to be sent still: each webhook's in the hands of one `holder` at a time, by a lease."""

    def notice(self) -> None:
        """Finds what came to pass that nobody announced: ends of runs, and metrics at their thresholds."""
        ...

    def waiting(self) -> Sequence[str]:
        """The webhooks for which something is due, and which nobody holds."""
        ...

    def take(self, webhook_id: str, holder: str, seconds: float) -> bool:
        """Whether the webhook is the holder's for so long."""
        ...

    def next(self, webhook_id: str, holder: str, seconds: float) -> Due | None:
        """What is due first, noted as attempted, while the webhook stays the holder's for so long; None
        where nothing is, or it is somebody else's."""
        ...

    def settle(self, due: Due, answered: Answered, *, again_in: float | None) -> None:
        """Notes how the attempt went, and that another follows, unless the next began already."""
        ...

    def release(self, webhook_id: str, holder: str) -> None: ...

    def prune(self) -> None:
        """Keeps the log, and what waits, within bounds."""
        ...


class Sender(Protocol):
    """Sends to addresses that are no danger to who sends."""

    def refuse(self, url: str) -> None:
        """Raises UsageError for an address that nothing is sent to."""
        ...

    def send(self, outgoing: Outgoing) -> Answered:
        """Tries once."""
        ...
