"""The rules for what is put into Production, each held against runs that keep it and runs that do not."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj.exports.intoto import BUILDER
from mlproj.exports.keys import KeyType, PrivateKey
from mlproj.model.moment import seconds_of, timestamp
from mlproj.model.provenance import InputState, Tracing
from mlproj.model.rules import MetricRule, Reproduced, Rules
from mlproj.model.run import Run
from mlproj.services.attestation import attest
from mlproj.services.promotion import Candidate, checks, run_of
from mlproj.services.reproduce import VERDICT
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from tests.store.runs import begun, ended

KEY, OTHER = PrivateKey.new(KeyType.ED25519), PrivateKey.new(KeyType.ED25519)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return open_store(tmp_path / "store", create=True)


def record(store: FolderStore, run: Run, rmse: float = 0.5, **outcome: object) -> Run:
    with store.begin(run):
        done = ended(store.blobs, run, rmse=rmse)
        assert done.outcome is not None
        return store.seal(replace(done, outcome=replace(done.outcome, **outcome)))


def again(store: FolderStore, run: Run, verdict: str, *, alpha: float = 0.5) -> Run:
    done = record(store, replace(begun(store.blobs, name="again", alpha=alpha), reproduces=run.run_id))
    store.amend(done.run_id, VERDICT, {"of": run.run_id, "verdict": verdict})
    return done


def told(store: FolderStore, rules: Rules, run: Run | None, **more: object) -> list[tuple[bool, str]]:
    current = more.pop("current", None)
    assert current is None or isinstance(current, Run)
    days = more.pop("days", 0)
    assert isinstance(days, int)
    now = timestamp(seconds_of(store.clock()) + days * 86400)
    assert not more
    found = run_of(store, run.run_id) if run is not None else None
    return [
        (check.holds, check.told)
        for check in checks(rules, Candidate(run=found, current=current, now=now), store)
    ]


def test_a_run_that_nobody_did_again_is_not_reproduced(store: FolderStore) -> None:
    rules = Rules(reproduced=Reproduced())
    run = record(store, begun(store.blobs))
    assert told(store, rules, run) == [(False, "nobody reproduced the run")]
    again(store, run, "different")
    assert told(store, rules, run) == [(False, "the run `again` came out different")]
    again(store, run, "equivalent")
    assert [holds for holds, _ in told(store, rules, run)] == [True]
    assert [holds for holds, _ in told(store, Rules(reproduced=Reproduced(grade="identical")), run)] == [
        False
    ]
    again(store, run, "identical")
    assert [holds for holds, _ in told(store, Rules(reproduced=Reproduced(grade="identical")), run)] == [True]


def test_a_reproduction_is_good_for_so_long(store: FolderStore) -> None:
    run = record(store, begun(store.blobs))
    again(store, run, "identical")
    rules = Rules(reproduced=Reproduced(within=30 * 86400))
    assert [told(store, rules, run, days=days)[0][0] for days in (29, 31)] == [True, False]


def test_doing_it_with_other_parameters_is_no_reproduction(store: FolderStore) -> None:
    run = record(store, begun(store.blobs))
    again(store, run, "identical", alpha=0.9)
    ((holds, why),) = told(store, Rules(reproduced=Reproduced()), run)
    assert not holds and "with something else on purpose" in why


def test_a_dirty_source_is_told(store: FolderStore) -> None:
    rules = Rules(source_clean=True)
    clean, dirty, nowhere = (begun(store.blobs, name=name) for name in ("clean", "dirty", "nowhere"))
    assert dirty.job is not None and nowhere.job is not None
    changed = replace(dirty.job.source, dirty=True, changes=tuple("abcd"))
    dirty = replace(dirty, job=replace(dirty.job, source=changed))
    nowhere = replace(nowhere, job=replace(nowhere.job, source=replace(nowhere.job.source, commit=None)))
    found = [told(store, rules, record(store, run))[0] for run in (clean, dirty, nowhere)]
    assert [holds for holds, *_ in found] == [True, False, False]
    assert "with changes: `a`, `b`, `c`, ..." in str(found[1])


def test_an_input_that_nobody_declared_is_told(store: FolderStore) -> None:
    rules, seen = Rules(inputs_declared=True), Tracing(means="audit hook")
    secret = InputState(
        name="secret.csv", path="secret.csv", kind="file", digest=None, size=1, declared=False
    )
    unlooked, good, half, bad = (begun(store.blobs, name=name) for name in "abcd")
    runs = (
        record(store, unlooked),
        record(store, good, tracing=seen),
        record(store, half, tracing=replace(seen, escaped=("`python -I` was started",))),
        record(store, bad, tracing=seen, reads=(secret,)),
    )
    assert [told(store, rules, run)[0] for run in runs] == [
        (False, "nobody looked which files it read"),
        (True, "1 input, and it read nothing else"),
        (False, "not everything that it read was seen: `python -I` was started"),
        (False, "it read `secret.csv`, which nobody declared"),
    ]


def test_an_attestation_counts_by_the_keys_that_the_rules_name(store: FolderStore) -> None:
    rules = Rules(attested_by=(KEY.public.line, OTHER.public.line))
    run = record(store, begun(store.blobs))
    assert told(store, rules, run) == [(False, "there is no attestation of the run")]
    strange = PrivateKey.new(KeyType.ECDSA)
    attest(store, run, strange, BUILDER)
    refusal = f"it is attested by {strange.keyid[:8]}, whom the rules do not name"
    assert told(store, rules, run) == [(False, refusal)]
    attest(store, run, OTHER, BUILDER)
    assert told(store, rules, run) == [(True, f"signed by {OTHER.keyid[:8]}")]
    assert told(store, Rules(attested_by=(KEY.public.line,)), run)[0][0] is False
    assert told(store, Rules(attested_by=(strange.public.line,)), run)[0][0] is True


def test_metrics_are_held_against_bounds_and_against_production(store: FolderStore) -> None:
    rules = Rules(metrics=(MetricRule(key="rmse", at_most=0.6, better="lower"),))
    run, current = record(store, begun(store.blobs), 0.5), record(store, begun(store.blobs), 0.4)
    assert [holds for holds, _ in told(store, rules, run)] == [True, True]
    assert [holds for holds, _ in told(store, rules, run, current=current)] == [True, False]


def test_a_model_without_a_run_keeps_no_rule_about_one(store: FolderStore) -> None:
    rules = Rules(
        reproduced=Reproduced(),
        source_clean=True,
        inputs_declared=True,
        attested_by=(KEY.public.line,),
        metrics=(MetricRule(key="rmse", at_most=1),),
    )
    assert [holds for holds, _ in told(store, rules, None)] == [False] * 5
