"""Whether the rules hold that a team set for what is put into Production."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from mlproj.artifact_ports import Artifacts
from mlproj.compare.thresholds import judge_metric
from mlproj.compare.verdict import Grade
from mlproj.errors import Altered, RunNotFound, StoreError
from mlproj.exports.keys import PublicKey, read_line
from mlproj.model.digest import Digest
from mlproj.model.entries import read_amendment
from mlproj.model.logged import number_of
from mlproj.model.moment import now, seconds_of
from mlproj.model.record import ATTESTED, EntryKind
from mlproj.model.registry import Case, ModelVersion
from mlproj.model.rules import Check, Reproduced, Rules, Sees, sees_all
from mlproj.model.run import Run
from mlproj.services.attestation import check_envelope
from mlproj.services.kept_files import strange_file
from mlproj.services.own_tracked import Located, located
from mlproj.services.reproduce import VERDICT
from mlproj.spec.rules import read_rules
from mlproj.store_ports import RunStore
from mlproj.tracking_ports import Tracking
from mlproj.words import counted

_SHOWN = 3
_NO_RUN = "the store holds no run that made the model, or none that you may read"


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be put into Production, by the run that made it, and what is there now; `now` is RFC 3339.
    Whoever asks `sees` some runs.

    The run is None where the store holds none: the version is of a model that was saved outside any run.
    """

    run: Run | None
    current: Run | None
    now: str
    sees: Sees = sees_all


def checks(rules: Rules, candidate: Candidate, store: RunStore) -> tuple[Check, ...]:
    """How each rule fares, in the order in which they are written down in the documentation. Raises
    UsageError for a key in the rules that is none."""
    return tuple(_checks(rules, candidate, store))


def _checks(rules: Rules, candidate: Candidate, store: RunStore) -> Iterator[Check]:
    run = candidate.run
    for sentence, check in _asked(rules, candidate, store):
        if run is None:
            yield Check(rule=sentence, holds=False, told=_NO_RUN)
        else:
            holds, told = check(run)
            yield Check(rule=sentence, holds=holds, told=told)
    current = {} if candidate.current is None else _metrics(candidate.current)
    for metric in rules.metrics:
        yield from judge_metric(metric, {} if run is None else _metrics(run), current)


def _asked(
    rules: Rules, candidate: Candidate, store: RunStore
) -> Iterator[tuple[str, Callable[[Run], tuple[bool, str]]]]:
    reproduced = rules.reproduced
    if reproduced is not None:
        yield _told(reproduced), lambda run: _reproduced(reproduced, run, store, candidate)
    if rules.source_clean:
        yield "the source was clean", _clean
    if rules.inputs_declared:
        yield "every input was declared", _declared
    if rules.attested_by:
        keys = tuple(map(read_line, rules.attested_by))
        named = " or ".join(key.label for key in keys)
        yield f"the run was attested by {named}", lambda run: _attested(run, store, keys)


def _metrics(run: Run) -> dict[str, float]:
    latest = {} if run.outcome is None else run.outcome.latest
    return {key: number_of(value) for key, value in latest.items()}


def run_of(store: RunStore, run_id: str | None) -> Run | None:
    """The run of that id, where the store holds it."""
    try:
        run = None if not run_id else store.find(run_id)
    except RunNotFound:
        return None
    # What is asked for may be a name as well, and is what somebody says.
    return run if run is not None and run.run_id == run_id else None


def judge(
    store: RunStore, tracking: Tracking, artifacts: Artifacts, text: str, case: Case
) -> tuple[Check, ...]:
    """How the rules in a text fare for a version. What counts is the run that its files are of, whatever was
    said when it was made. Raises SpecError."""
    run, place = _maker(store, tracking, case.version, case.sees)
    current = None if case.current is None else _maker(store, tracking, case.current, case.sees)[0]
    candidate = Candidate(run=run, current=current, now=now(), sees=case.sees)
    found = checks(read_rules(text, "the rules"), candidate, store)
    if run is None or place is None:
        return found
    strange = strange_file(place, run, store, artifacts, thorough=case.thorough)
    if strange is None:
        return found
    return (Check(rule="its files are those that its run left", holds=False, told=strange), *found)


def _maker(
    store: RunStore, tracking: Tracking, version: ModelVersion, sees: Sees
) -> tuple[Run | None, Located | None]:
    """The run that made a version, and where the files are that it left."""
    place = located(version.source, tracking, store.root)
    if place is None or version.run_id not in (None, "", place.run_id) or not sees(place.run_id):
        return None, None
    return run_of(store, place.run_id), place


def _told(rule: Reproduced) -> str:
    when = "" if rule.within is None else f" within {rule.within / 86400:g} days"
    return f"the run was reproduced as {rule.grade}{when}"


def _reproduced(rule: Reproduced, run: Run, store: RunStore, candidate: Candidate) -> tuple[bool, str]:
    best = "nobody reproduced the run"
    for entry in store.entries(EntryKind.AMENDMENT):
        try:
            amendment = read_amendment(entry.payload or b"")
            if amendment.kind != VERDICT or amendment.content["of"] != run.run_id:
                continue
            grade, again = Grade(amendment.content["verdict"]), store.find(amendment.run_id)
        except (ValueError, KeyError, RunNotFound):
            continue
        age = seconds_of(candidate.now) - seconds_of(entry.time)
        named = f"the run `{again.name}`" if candidate.sees(again.run_id) else "a run"
        if not _same(run, again):
            best = f"{named} was done with something else on purpose, and came out {grade.value}"
        elif not (grade is Grade.IDENTICAL or (grade is Grade.EQUIVALENT and rule.grade == grade.value)):
            best = f"{named} came out {grade.value}"
        elif rule.within is not None and age > rule.within:
            best = f"{named} came out {grade.value}, {age / 86400:.1f} days ago"
        else:
            return True, f"{named} came out {grade.value} on {entry.time[:10]}"
    return False, best


def _same(original: Run, again: Run) -> bool:
    """Whether a run is the other one done again with the same code, parameters and data."""
    before, after = original.plan, again.plan
    if before is None or after is None or again.reproduces != original.run_id:
        return False
    parts = ("snapshot", "subfolder", "entry_point", "command", "parameters", "inputs")
    return all(getattr(before, part) == getattr(after, part) for part in parts)


def _clean(run: Run) -> tuple[bool, str]:
    if run.job is None:
        return False, "nothing is known of the source"
    source = run.job.source
    if source.commit is None:
        return False, "the source was in no repository"
    at = f"commit {source.commit[:12]}"
    if not source.dirty:
        return True, at
    changed = ", ".join(f"`{path}`" for path in source.changes[:_SHOWN])
    more = ", ..." if len(source.changes) > _SHOWN else ""
    return False, f"{at} with changes{f': {changed}{more}' if changed else ''}"


def _declared(run: Run) -> tuple[bool, str]:
    if run.job is None or run.outcome is None:
        return False, "nothing is known of its inputs"
    tracing = run.outcome.tracing
    undeclared = [state.path for state in run.outcome.reads]
    if undeclared:
        return (
            False,
            f"it read {', '.join(f'`{path}`' for path in undeclared[:_SHOWN])}, which nobody declared",
        )
    if tracing is None or tracing.means is None:
        return False, "nobody looked which files it read"
    if tracing.escaped:
        return False, f"not everything that it read was seen: {tracing.escaped[0]}"
    return True, f"{counted(len(run.job.inputs), 'input')}, and it read nothing else"


def _attested(run: Run, store: RunStore, keys: Sequence[PublicKey]) -> tuple[bool, str]:
    told = "there is no attestation of the run"
    for amendment in run.amendments:
        if amendment.kind != ATTESTED:
            continue
        try:
            path = store.blobs.path(Digest(amendment.content["envelope"]))
            attestation = check_envelope(path.read_bytes(), keys)
        except (Altered, StoreError, OSError, ValueError, KeyError) as error:
            told = f"an attestation of it cannot be trusted: {error}"
            continue
        trusted = [signed.key for signed in attestation.signatures if signed.key is not None]
        if not attestation.fits(run):
            told = "an attestation of it does not say what the record says"
        elif trusted:
            return True, f"signed by {trusted[0]}"
        else:
            signers = ", ".join(signed.keyid[:8] for signed in attestation.signatures)
            told = f"it is attested by {signers}, whom the rules do not name"
    return False, told
