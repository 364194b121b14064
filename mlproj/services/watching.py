"""`mlproj watch`: looks whether there is a reason to run, runs, and hands the model on; once, or for good."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import tzinfo

import msgspec
from msgspec.structs import replace

from mlproj.errors import DataError, MlprojError, NotFound, StoreError, UsageError
from mlproj.model.events import Note, Report, silent
from mlproj.model.moment import seconds_of, timestamp
from mlproj.model.provenance import InputState
from mlproj.model.run import Run
from mlproj.model.trigger import WATCH_TAG, Cause, Cron, Every, Schedule, ScheduleDue, Trigger
from mlproj.services.configured import configured_server, is_same_server
from mlproj.services.fetching import fetched
from mlproj.services.request import Tools
from mlproj.services.run import run as carry_out
from mlproj.services.watched import (
    Known,
    Past,
    Watch,
    alone,
    known_at,
    known_from,
    next_id,
    past_of,
    refuse_odd,
    refuse_taken,
    trigger_of,
    usual_name,
)
from mlproj.services.watching_data import changes, data_of, entry_of, state_of
from mlproj.services.watching_metrics import crossings, measured, refuse_unknown
from mlproj.services.watching_models import Delivered, deliver
from mlproj.spec import read_project
from mlproj.spec.schedule import next_time
from mlproj.store_ports import RunStore
from mlproj.watch_ports import ModelDesk

_LEAST_WAIT_S = 0.05
_SETTLING_S = 5.0
"""So long after data was found to have changed whoever goes on looks again: it may be being written."""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a look: `trigger` is None where there was no reason to run, `delivered` tells what became
    of the run's model, or of that of an earlier run, and `failure` why nothing did."""

    trigger: Trigger | None = None
    run: Run | None = None
    delivered: Delivered | None = None
    failure: MlprojError | None = None

    @property
    def interrupted(self) -> int | None:
        """The signal that stopped the run, if one did."""
        return None if self.run is None or self.run.outcome is None else self.run.outcome.interrupted


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """Who hears of what a watch does: that it has a reason to run, what the run reports, what came of it, and
    what failed."""

    triggered: Callable[[Trigger], None]
    reporting: Callable[[], AbstractContextManager[Report]]
    came: Callable[[Round], None]
    failed: Callable[[MlprojError], None]


class Watcher:
    """One process that carries out a watch; cron's times are meant in the time `zone`. Get one from
    `watching`, which tells whether it `is_alone`: nobody else on this machine carries out that watch."""

    def __init__(self, watch: Watch, tools: Tools, desk: ModelDesk, zone: tzinfo) -> None:
        self.watch = watch
        self.is_alone = False
        self._tools, self._desk, self._zone = tools, desk, zone
        self._began = self._now()
        self._tried: Trigger | None = None
        self._is_delivered = watch.delivery is None
        self._seen: tuple[InputState, ...] | None = None
        self._is_settled = True

    def begin(self, store: RunStore) -> None:
        """Looks whether the watch can be meant at all, and gives it a name if it has none."""
        with fetched(self.watch.request, self._tools, silent) as checkout:
            project = read_project(checkout.directory)
            entry = entry_of(project, self.watch, checkout)
            called = project.name or checkout.directory.name
            name = self.watch.name or usual_name(called, entry.name)
            refuse_odd(name, self._tools.observer.secret)
            tags = (*self.watch.request.tags, (WATCH_TAG, name))
            self.watch = replace(self.watch, name=name, request=replace(self.watch.request, tags=tags))
            host = self._tools.observer.host().name
            refuse_taken(past_of(store, name), self.watch, called, checkout.uri, host)
            if self.watch.on_data:
                with contextlib.suppress(DataError):  # what is not there yet may come
                    data_of(self.watch, self._tools, checkout)
        refuse_unknown(self.watch, store, self._tools)
        measured(self.watch, store, self._desk)

    def look(self, store: RunStore, *, once: bool) -> tuple[Past, Trigger | None]:
        """The runs so far, and whether there is a reason for another. Raises MlprojError where nobody can
        tell. Whoever looks `once` does not wait for a time of cron's that no run came before, nor whether
        data that changed stays as it is."""
        past = past_of(store, self.watch.name)
        if past.goes_on:
            return past, None
        known = self._known(past)
        states: tuple[InputState, ...] = ()
        if self.watch.on_data:
            with fetched(self.watch.request, self._tools, silent) as checkout:
                states = data_of(self.watch, self._tools, checkout)
        measurements = measured(self.watch, store, self._desk)
        changed = tuple(changes(states, known))
        self._is_settled = once or not changed or states == self._seen
        self._seen = states
        causes: tuple[Cause, ...] = (
            *(changed if self._is_settled else ()),
            *self._due(known, past, once=once),
            *crossings(self.watch.thresholds, self.watch.looked_in, measurements, known),
        )
        if not causes:
            return past, None
        register, promote = (None, None) if self.watch.delivery is None else self.watch.delivery.told
        return past, Trigger(
            register=register,
            promote=promote,
            watch=self.watch.name,
            time=self._tools.now(),
            causes=causes,
            previous=None if past.latest is None else past.latest.run_id,
            inputs=tuple((state.name, state_of(state)) for state in states),
            measurements=measurements,
        )

    def round(self, listener: Listener, *, once: bool) -> Round:
        """Looks, and runs if there is a reason to. Raises MlprojError where nothing could be run."""
        with self._store() as store:
            past, trigger = self.look(store, once=once)
            left = Round() if past.answered is None else self._deliver(past.answered, store)
        if trigger is None:
            return left
        if left != Round():
            listener.came(left)
        self._tried = trigger
        self._is_delivered = self.watch.delivery is None
        listener.triggered(trigger)
        with listener.reporting() as report:
            run = self._carry_out(trigger, past, report)
        if run is None:
            return Round()
        with self._store() as store:
            return replace(self._deliver(run, store), trigger=trigger, run=run)

    def wait(self, poll: float) -> float:
        """How long to wait until the next look, in seconds: until a time comes, and `poll` at most."""
        known = Known()
        if self.watch.schedules:
            with self._store() as store:
                known = self._known(past_of(store, self.watch.name))
        times = (self._time(schedule, known, once=False) for schedule in self.watch.schedules)
        rest = [moment - self._now() for moment in times if moment is not None]
        longest = poll if self._is_settled else min(poll, _SETTLING_S)
        return max(_LEAST_WAIT_S, min([longest, *(seconds for seconds in rest if seconds > 0)]))

    def _carry_out(self, trigger: Trigger, past: Past, report: Report) -> Run | None:
        """The run; None where another machine began it."""
        request = replace(self.watch.request, trigger=trigger)
        server = configured_server(request, silent)
        if server is None or is_same_server(server, self._tools.far):
            with self._store() as store:
                request = replace(request, run_id=next_id(store, self.watch.name, past))
        try:
            return carry_out(request, self._tools, report)
        except StoreError:
            with self._store() as store:
                latest = past_of(store, self.watch.name).latest
            if latest is None or latest.run_id != request.run_id or trigger_of(latest) == trigger:
                raise
            report(Note(message=f"another machine began the run: `{latest.name}` ({latest.run_id[:8]})"))
            return None

    def _deliver(self, run: Run, store: RunStore) -> Round:
        """What is left to be done about the models of a run; asked once, unless the registry was away."""
        if self._is_delivered or self.watch.delivery is None:
            return Round()
        try:
            delivered = deliver(run, self.watch.delivery, self._desk, store)
        except MlprojError as error:
            self._is_delivered = isinstance(error, (DataError, NotFound, UsageError))
            return Round(failure=error)
        self._is_delivered = True
        return Round(delivered=delivered)

    def _known(self, past: Past) -> Known:
        """What the last run tells, or what was tried since and came to no run."""
        known = known_from(past.answered)
        if self._tried is None or (known.since or 0) >= seconds_of(self._tried.time):
            return known
        return replace(known_at(self._tried), made=known.made)

    def _due(self, known: Known, past: Past, *, once: bool) -> Iterator[ScheduleDue]:
        stopped = past.stopped if self._tried is None else None
        left = () if stopped is None else stopped.causes
        for schedule in self.watch.schedules:
            again = [cause for cause in left if isinstance(cause, ScheduleDue)]
            again = [cause for cause in again if cause.schedule == str(schedule)]
            due = self._time(schedule, known, once=once)
            if again:
                yield again[0]
            elif due is not None and due <= self._now():
                zone = str(self._zone) if isinstance(schedule, Cron) else None
                yield ScheduleDue(schedule=str(schedule), due=timestamp(due), zone=zone)

    def _time(self, schedule: Schedule, known: Known, *, once: bool) -> float | None:
        """When it is due next. What nobody ran yet is due now, but cron's is waited for where we wait."""
        if known.since is not None:
            return next_time(schedule, known.since, self._zone)
        if once or isinstance(schedule, Every):
            return self._began
        return next_time(schedule, self._began, self._zone)

    def _now(self) -> float:
        return seconds_of(self._tools.now())

    @contextlib.contextmanager
    def _store(self) -> Iterator[RunStore]:
        with contextlib.closing(self._tools.open_store()) as store:
            yield store


@contextlib.contextmanager
def watching(watch: Watch, tools: Tools, desk: ModelDesk, zone: tzinfo) -> Iterator[Watcher]:
    """The one that carries out a watch for the length of the `with`, if it is alone. Raises MlprojError where
    the watch cannot be meant."""
    watcher = Watcher(watch, tools, desk, zone)
    with contextlib.closing(tools.open_store()) as store:
        watcher.begin(store)
    with alone(store.root, watcher.watch.name) as watcher.is_alone:
        yield watcher


def watch_on(watcher: Watcher, listener: Listener, poll: float) -> int:
    """Goes on until a signal stops a run, and returns its number; where none went on, Interrupted is raised.

    What fails is told, once as long as it is the same, and tried again when there is a new reason to.
    """
    said: str | None = None
    while True:
        wait = poll
        try:
            came = watcher.round(listener, once=False)
            failure = None if came.failure is None else came.failure.message
            if came.run is not None or failure is None or failure != said:
                listener.came(came)
            said = failure
            if came.interrupted is not None:
                return came.interrupted
            wait = watcher.wait(poll)
        except MlprojError as error:
            if error.message != said:
                listener.failed(error)
            said = error.message
        time.sleep(wait)
