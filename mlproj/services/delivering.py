"""Events are sent to webhooks: looked for every second, each webhook's in a thread of its own, one by one.

So a receiver that is slow, or hangs, holds up nobody but itself; and what is sent to one comes in order, but
for what has to be sent again.
"""

from __future__ import annotations

import random
import socket
import threading
import uuid
from collections import Counter
from collections.abc import Callable

import msgspec

from mlproj.errors import MlprojError
from mlproj.model.webhooks import Answered, Due, WebhookRules
from mlproj.webhook_ports import Queue, Sender

_LOOK_S = 1.0
_PRUNE_EVERY = 300
"""Looks after which the log is kept within bounds."""
_AT_ONCE = 50
"""Webhooks that one process sends to at once."""
_IN_A_ROW = 100
"""Deliveries to one webhook before others get the thread."""
_LONGEST_BACKOFF_S = 600.0
_GRACE_S = 5.0


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How many attempts went how."""

    sent: int = 0
    failed: int = 0
    again: int = 0


class Courier:
    """Sends what is due in a queue."""

    def __init__(self, queue: Queue, sender: Callable[[], Sender], rules: WebhookRules) -> None:
        self._queue = queue
        self._sender = sender
        self._retries = rules.retries
        # Longer than an attempt with all that is around it.
        self._lease_s = 2 * rules.timeout_s + 3.0
        self._holder = f"{socket.gethostname()[:27]}-{uuid.uuid4().hex}"

    def serve(self, webhook_id: str, going_on: Callable[[], bool] = lambda: True) -> Tally:
        """Sends what is due for one webhook, unless somebody else does."""
        if not self._queue.take(webhook_id, self._holder, self._lease_s):
            return Tally()
        counted: Counter[str] = Counter()
        try:
            while going_on() and counted.total() < _IN_A_ROW:
                due = self._queue.next(webhook_id, self._holder, self._lease_s)
                if due is None:
                    break
                counted[self._attempt(due)] += 1
        finally:
            self._queue.release(webhook_id, self._holder)
        return Tally(**counted)

    def _attempt(self, due: Due) -> str:
        if due.outgoing is None:
            answered = Answered(error=due.error, again=True)
        else:
            answered = self._sender().send(due.outgoing)
        again_in = None
        if answered.again and due.attempt <= self._retries:
            again_in = max(backoff(due.attempt), answered.wait or 0.0)
        self._queue.settle(due, answered, again_in=again_in)
        return "sent" if answered.accepted else "failed" if again_in is None else "again"


class Deliverer:
    """Sends what comes to be due, for as long as its process goes on. `trouble` hears of what kept it from
    that, once each time; `unexpected` of bugs."""

    def __init__(
        self,
        queue: Queue,
        courier: Courier,
        *,
        trouble: Callable[[MlprojError], None],
        unexpected: Callable[[Exception], None],
    ) -> None:
        self._queue = queue
        self._courier = courier
        self._trouble = trouble
        self._unexpected = unexpected
        self._over = threading.Event()
        self._at_work: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._go_on, name="webhooks", daemon=True)

    def start(self) -> None:
        """Once it is called the process is not forked."""
        self._thread.start()

    def close(self) -> None:
        """Begins nothing more, and gives what is being sent a little time: another takes it up else."""
        self._over.set()
        self._thread.join(_GRACE_S)
        with self._lock:
            working = list(self._at_work.values())
        for thread in working:
            thread.join(_GRACE_S / len(working))

    def _go_on(self) -> None:
        looks, troubled = 0, False
        # Not all processes of a server at once.
        while not self._over.wait(_LOOK_S * random.uniform(0.8, 1.2)):
            try:
                self._look(prune=looks % _PRUNE_EVERY == 0)
                troubled = False
            except MlprojError as error:
                if not troubled:
                    self._trouble(error)
                troubled = True
            except Exception as error:
                self._unexpected(error)
            looks += 1

    def _look(self, *, prune: bool) -> None:
        self._queue.notice()
        if prune:
            self._queue.prune()
        for webhook_id in self._queue.waiting():
            with self._lock:
                if webhook_id in self._at_work or len(self._at_work) >= _AT_ONCE:
                    continue
                thread = threading.Thread(target=self._serve, args=(webhook_id,), daemon=True)
                self._at_work[webhook_id] = thread
            thread.start()

    def _serve(self, webhook_id: str) -> None:
        try:
            self._courier.serve(webhook_id, lambda: not self._over.is_set())
        except MlprojError as error:
            self._trouble(error)
        except Exception as error:
            self._unexpected(error)
        finally:
            with self._lock:
                del self._at_work[webhook_id]


def deliver(queue: Queue, courier: Courier) -> Tally:
    """Sends all that is due now, and returns how that went; what has to wait is left for the next time."""
    queue.notice()
    queue.prune()
    total: Counter[str] = Counter()
    while True:
        went = [courier.serve(webhook_id) for webhook_id in queue.waiting()]
        counts = [msgspec.structs.asdict(each) for each in went]
        if not any(sum(each.values()) for each in counts):
            return Tally(**total)
        for each in counts:
            total.update(each)


def backoff(attempt: int) -> float:
    """Seconds after that attempt, as MLflow has it: 1, 2, 4 and so on, and up to a second by chance."""
    return min(2.0 ** min(attempt - 1, 30), _LONGEST_BACKOFF_S) + random.uniform(0.0, 1.0)
