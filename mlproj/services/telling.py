"""The webhooks of a store as a whole: made, looked at, and sent to: now, or as long as a process goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mlproj.errors import MlprojError
from mlproj.model.webhooks import WebhookRules
from mlproj.services.delivering import Courier, Deliverer, Tally, deliver
from mlproj.services.webhooks import CheckedWebhooks
from mlproj.webhook_ports import KeptWebhooks, Queue, Sender


class Kept(KeptWebhooks, Protocol):
    """Webhooks with what is on its way to them."""

    @property
    def queue(self) -> Queue: ...

    def close(self) -> None: ...


class Telling:
    """`webhooks` are for those who make and try them."""

    def __init__(
        self, kept: Kept, sender: Callable[[], Sender], rules: WebhookRules, clock: Callable[[], str]
    ) -> None:
        self.webhooks = CheckedWebhooks(kept, sender, clock)
        self._kept = kept
        self._courier = Courier(kept.queue, sender, rules)
        self._deliverer: Deliverer | None = None

    def start(
        self, *, trouble: Callable[[MlprojError], None], unexpected: Callable[[Exception], None]
    ) -> None:
        """Sends what comes to be due until it is closed; the process is not forked from then on. `trouble`
        hears of what kept it from that, `unexpected` of bugs."""
        queue = self._kept.queue
        self._deliverer = Deliverer(queue, self._courier, trouble=trouble, unexpected=unexpected)
        self._deliverer.start()

    def deliver(self) -> Tally:
        """Sends what is due now. Raises StoreError."""
        return deliver(self._kept.queue, self._courier)

    def close(self) -> None:
        if self._deliverer is not None:
            self._deliverer.close()
        self._kept.close()
