"""What is done at a server, on its way into the audit log.

Logging goes on all the time: such deeds are gathered, and written together every second, those that are
alike as one with a count; so are refusals, since nobody is to learn by the time that they take. Whoever
changes rights or removes something waits until it is written.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from msgspec.structs import replace

from mlproj.access_ports import Audit
from mlproj.model.access import Deed
from mlproj.server.addresses import network_of

EVERY_S = 1.0
_MOST = 2000
_NOT_LET_IN = (401, 429)
REFUSALS = 20
"""So many different requests of one address that are refused in that time are told apart. Of more, as
somebody can send without end, it is written how many there were."""


class Trail:
    """Writes deeds down. May be used from several threads; the process is not forked after its first use."""

    def __init__(self, audit: Audit, unexpected: Callable[[Exception], None] = lambda error: None) -> None:
        self._audit = audit
        self._unexpected = unexpected
        self._gathered: dict[Deed, Deed] = {}
        self._refused: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._over = False
        self._thread: threading.Thread | None = None

    def write(self, deed: Deed) -> None:
        """Writes it before this returns, after what was gathered so far. Raises StoreError; it is not lost
        then, but written when that can be done."""
        deeds = (*self._taken(), deed)
        try:
            self._write(deeds)
        except Exception:
            self._put_back(deeds)
            raise

    def gather(self, deed: Deed) -> None:
        """Has it written within a second or so."""
        with self._lock:
            deed = self._of_many(deed)
            alike = replace(deed, time="")
            known = self._gathered.get(alike)
            self._gathered[alike] = deed if known is None else replace(known, times=known.times + 1)
            full = len(self._gathered) >= _MOST
            if self._thread is None and not self._over:
                self._thread = threading.Thread(target=self._go_on, name="audit", daemon=True)
                self._thread.start()
        if full:
            self._woken.set()

    def close(self) -> None:
        """Writes what is left."""
        with self._lock:
            self._over = True
        self._woken.set()
        if self._thread is not None:
            self._thread.join()
        self._write(self._taken())

    def _go_on(self) -> None:
        while not self._over:
            self._woken.wait(EVERY_S)
            self._woken.clear()
            deeds = self._taken()
            try:
                self._write(deeds)
            except Exception as error:
                self._put_back(deeds)
                self._unexpected(error)

    def _of_many(self, deed: Deed) -> Deed:
        """The deed, without what is its own where too many are being refused."""
        if deed.status < 400 or replace(deed, time="") in self._gathered:
            return deed
        address = network_of(deed.address or "")
        self._refused[address] += 1
        if self._refused[address] <= REFUSALS:
            return deed
        return Deed(
            time=deed.time,
            # Whoever was not let in only says who they are.
            user=None if deed.status in _NOT_LET_IN else deed.user,
            token=None,
            address=address,
            action="…",
            kind=None,
            thing=None,
            status=0,
        )

    def _taken(self) -> tuple[Deed, ...]:
        with self._lock:
            deeds = tuple(self._gathered.values())
            self._gathered.clear()
            self._refused.clear()
        return deeds

    def _put_back(self, deeds: tuple[Deed, ...]) -> None:
        """For the next time, as far as there is room: a database that is away must not fill the memory."""
        with self._lock:
            for deed in deeds[: max(0, _MOST - len(self._gathered))]:
                alike = replace(deed, time="", times=1)
                since = self._gathered.get(alike)
                more = 0 if since is None else since.times
                self._gathered[alike] = replace(deed, times=deed.times + more)

    def _write(self, deeds: tuple[Deed, ...]) -> None:
        if deeds:
            self._audit.note(deeds)
