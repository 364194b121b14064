"""`mlproj watch` on real projects: what starts a run, what does not, and what is told of it afterwards."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import pytest
from msgspec.structs import replace

from mlproj import run_wiring, wiring
from mlproj.cli.app import invoke
from mlproj.cli.watch_desk import RegistryDesk
from mlproj.errors import StoreError
from mlproj.model.digest import Digest
from mlproj.model.events import silent
from mlproj.model.record import RECORD_SCHEMA, read_document
from mlproj.model.run import Run, Status
from mlproj.model.tracking import Batch, Metric
from mlproj.services.request import RunRequest
from mlproj.services.watched import Delivery, Watch
from mlproj.services.watching import Listener, Watcher, watching
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from mlproj.store_ports import RunQuery
from tests.cli.conftest import Answer, Start
from tests.conftest import ProjectMaker
from tests.server.calling import wait_until
from tests.store.runs import begun, ended

PROJECT = """\
name: wine
entry_points:
  main:
    parameters:
      table: {type: path, default: data.csv}
    command: "python train.py {table}"
    outputs: [{path: model.bin, model: true}]
    metrics: [metrics.json]
  bare:
    command: "true"
"""
SCRIPT = """\
import json, sys, time

last = open(sys.argv[1]).read().split()[-1]
print("training on", last, flush=True)
if last in ("slow", "slower"):
    time.sleep(2 if last == "slow" else 60)
if last == "bad":
    sys.exit(3)
time.sleep(1 if last == "second" else 0)
open("model.bin", "w").write(last)
json.dump({"rmse": float(last) if last.isdigit() else 0}, open("metrics.json", "w"))
"""
ONCE = ("watch", ".", "--on-data", "--once", "--env-manager", "local")
DELIVERING = ("--register", "wine", "--promote", "Production", "--archive-existing")


class Shop:
    """A project under git, with data that changes, and its store. Calling it is the command line, in this
    process."""

    def __init__(self, folder: Path, store: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder, self._store, self._capfd = folder, store, capfd

    def __call__(self, *arguments: str, **variables: str) -> Answer:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            for name, value in {"MLPROJ_STORE": str(self._store), **variables}.items():
                patch.setenv(name, value)
            self._capfd.readouterr()
            code = invoke(arguments)
        return Answer(code, *self._capfd.readouterr())

    def set_data(self, text: str) -> None:
        (self.folder / "new.csv").write_text(text + "\n")
        (self.folder / "new.csv").replace(self.folder / "data.csv")

    @contextlib.contextmanager
    def store(self) -> Iterator[FolderStore]:
        with contextlib.closing(open_store(self._store, create=True)) as store:
            yield store

    def runs(self) -> tuple[Run, ...]:
        """The newest first."""
        with self.store() as store:
            return store.search(RunQuery())

    def measure(self, run_id: str, value: float, key: str = "drift") -> None:
        """What another job logs to a run."""
        now = int(time.time() * 1000)
        metric = Metric(key=key, value=value, timestamp=now, step=0)
        with self.store() as store, contextlib.closing(wiring.tracking_of(store)) as tracking:
            tracking.runs.log(run_id, Batch(metrics=(metric,)))


@pytest.fixture
def shop(make_project: ProjectMaker, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Shop:
    files = {"MLproject": PROJECT, "train.py": SCRIPT, "data.csv": "1\n", ".gitignore": "*.json\nmodel.bin\n"}
    folder = make_project(files)
    return Shop(folder, tmp_path / "store", capfd)


LISTENER = Listener(
    triggered=lambda trigger: None,
    reporting=lambda: contextlib.nullcontext(silent),
    came=lambda came: None,
    failed=lambda error: None,
)


@contextlib.contextmanager
def watching_for(
    shop: Shop,
    store: str | Path,
    desk: RegistryDesk,
    delivery: Delivery | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Iterator[Watcher]:
    """The watch `mine` of the shop's data, in this process."""
    tools = run_wiring.tools(environ, shop.folder, str(store))
    request = RunRequest(
        uri=str(shop.folder), caller=shop.folder, environ=environ, environment_manager="local"
    )
    wanted = Watch(name="mine", request=request, on_data=True, delivery=delivery)
    with watching(wanted, tools, desk, datetime.timezone.utc) as watcher:
        assert watcher.is_alone
        yield watcher


def trigger_of(answer: Answer) -> Any:
    return answer.document["trigger"]


def test_data_is_trained_on_once_and_its_model_promoted_by_rules(shop: Shop) -> None:
    (shop.folder / "rules.yaml").write_text("rules: {metrics: {rmse: {at_most: 10}}}\n")
    shop.set_data("20")
    first = shop(*ONCE, *DELIVERING, "--json")
    assert first.code == 0 and first.document["delivered"]["promotion"]["refusal"] is None
    assert trigger_of(first)["watch"] == "wine-main" and trigger_of(first)["previous"] is None
    assert [(cause["kind"], cause["before"]) for cause in trigger_of(first)["causes"]] == [("data", None)]

    nothing = shop(*ONCE, *DELIVERING)
    assert (nothing.code, nothing.stderr) == (8, "nothing to do\n")

    assert shop("models", "rules", "wine", "--set", "rules.yaml").code == 0
    shop.set_data("30")
    refused = shop(*ONCE, *DELIVERING)
    assert refused.code == 6 and "trigger: `data.csv` changed from sha256" in refused.stderr
    assert "`rmse` is at most 10: it is 30" in refused.stderr

    shop.set_data("5")
    allowed = shop(*ONCE, *DELIVERING, "--json")
    assert allowed.code == 0, allowed.stderr
    run, trigger = allowed.document["run"], trigger_of(allowed)
    assert trigger == run["trigger"] == shop("show", run["run_id"], "--json").document["trigger"]
    (cause,) = trigger["causes"]
    assert (cause["before"], cause["after"]) == (Digest.of(b"30\n"), Digest.of(b"5\n"))
    assert trigger["previous"] == shop.runs()[1].run_id
    assert run["tags"]["mlproj.watch"] == "wine-main"

    changes = shop("models", "history", "wine", "--json").document["changes"]
    acts = [(change["act"], change.get("version")) for change in changes if "version" in change]
    assert [act for act in acts if act[0] in ("stage", "promotion refused")] == [
        ("stage", 1), ("promotion refused", 2), ("stage", 3), ("stage", 1),
    ]  # fmt: skip
    of_last = [change for change in changes if change.get("version") == 3]
    assert {change["run_id"] for change in of_last} == {run["run_id"]}
    assert all(f"watch `wine-main`, run {run['run_id'][:8]}: `data.csv` changed" in c["why"] for c in of_last)

    told = shop("lineage", "models:/wine/3", "--up").stdout
    assert "watch `wine-main`: `data.csv` changed from" in told and "the watch's run before it: run" in told
    assert shop("verify").code == 0


def test_records_of_earlier_versions_have_no_trigger(shop: Shop) -> None:
    assert shop("run", ".", "-e", "bare", "--env-manager", "local").code == 0
    with shop.store() as store:
        (entry,) = store.entries()
    document = json.loads(entry.payload or b"")
    assert document["schema"] == RECORD_SCHEMA and document["job"].pop("trigger", "none") is None
    read = read_document(json.dumps(document).encode(), name="old")
    assert read.job is not None and read.job.trigger is None and read.status is Status.FINISHED


def test_a_killed_watch_goes_on_where_it_was(shop: Shop, start: Start) -> None:
    shop.set_data("slow")
    watching = start("watch", ".", "--on-data", "--env-manager", "local", "--poll", "0.2s", cwd=shop.folder)
    assert watching.stdout is not None
    lines = iter(watching.stdout.readline, b"")
    assert any(b"training on slow" in line for line in lines)
    os.kill(watching.pid, signal.SIGKILL)
    watching.wait()

    again = shop(*ONCE, "--json")
    assert again.code == 0, again.stderr
    killed = shop.runs()[1]
    assert killed.status is Status.KILLED and trigger_of(again)["previous"] == killed.run_id
    assert killed.job is not None and killed.job.trigger is not None
    assert [cause["after"] for cause in trigger_of(again)["causes"]] == [Digest.of(b"slow\n")]
    assert shop(*ONCE).code == 8


class _Away(RegistryDesk):
    """A registry that cannot be reached."""

    def history(self, name: str) -> NoReturn:
        raise StoreError("the registry is away")


def test_a_model_that_could_not_be_registered_is_registered_later(shop: Shop, tmp_path: Path) -> None:
    with watching_for(shop, tmp_path / "store", _Away(None), Delivery(model="wine")) as watcher:
        came = watcher.round(LISTENER, once=True)
        assert came.run is not None and came.failure is not None and came.failure.message.endswith("away")
    # what was to become of it is on the record, and nothing else does
    assert shop(*ONCE, "--name", "mine", "--register", "other").code == 8
    late = shop(*ONCE, "--name", "mine", "--register", "wine", "--json")
    assert late.code == 0 and late.document["run"] is None
    assert late.document["delivered"] == {"model": "wine", "version": 1, "promotion": None}
    assert shop(*ONCE, "--name", "mine", "--register", "wine").code == 8


def test_two_at_once_run_once(shop: Shop, start: Start) -> None:
    shop.set_data("second")
    both = [start(*ONCE, cwd=shop.folder) for _ in range(2)]
    assert sorted(process.wait() for process in both) == [0, 8]
    assert len(shop.runs()) == 1


def test_it_goes_on_through_failures_until_it_is_told_to_end(shop: Shop, start: Start) -> None:
    watching = start(
        *("watch", ".", "--on-data", "--env-manager", "local", "--poll", "0.1s", "--name", "mine"),
        cwd=shop.folder,
    )
    wait_until(lambda: [run.status for run in shop.runs()] == [Status.FINISHED])
    second = shop("watch", ".", "--on-data", "--env-manager", "local", "--name", "mine")
    assert second.code == 5 and "goes on already" in second.stderr

    shop.set_data("bad")
    wait_until(lambda: [run.status for run in shop.runs()] == [Status.FAILED, Status.FINISHED])
    (shop.folder / "data.csv").rename(shop.folder / "away.csv")
    time.sleep(0.5)
    shop.set_data("3")
    wait_until(lambda: len(shop.runs()) == 3 and shop.runs()[0].status is Status.FINISHED)

    shop.set_data("slower")
    wait_until(lambda: shop.runs()[0].status is Status.RUNNING)
    time.sleep(0.3)
    watching.send_signal(signal.SIGTERM)
    assert watching.wait(30) == 143
    assert watching.stdout is not None
    told = watching.stdout.read().decode()
    assert told.count("error: ") == 1 and "data.csv" in told and told.endswith("ended\n")
    statuses = [run.status for run in shop.runs()]
    assert statuses == [Status.KILLED, Status.FINISHED, Status.FAILED, Status.FINISHED]


def test_a_watch_that_waits_ends_well(shop: Shop, start: Start) -> None:
    watching = start(
        *("watch", ".", "-e", "bare", "--cron", "0 3 1 1 *", "--env-manager", "local"), cwd=shop.folder
    )
    assert watching.stdout is not None
    assert watching.stdout.readline() == b"watching as `wine-bare`: cron 0 3 1 1 *; Ctrl-C ends it\n"
    watching.send_signal(signal.SIGINT)
    assert watching.wait(30) == 0
    assert watching.stdout.read() == b"ended\n" and shop.runs() == ()


def test_a_schedule_counts_from_the_last_run(shop: Shop) -> None:
    every = ("watch", ".", "-e", "bare", "--once", "--env-manager", "local", "--name", "often")
    first = shop(*every, "--every", "2s", "--json")
    assert [(cause["kind"], cause["schedule"]) for cause in trigger_of(first)["causes"]] == [
        ("schedule", "every 2s")
    ]
    assert shop(*every, "--every", "1h").code == 8
    time.sleep(2)
    assert shop(*every, "--every", "2s", "--cron", "* * * * * *").code == 0
    latest = shop.runs()[0].job
    assert latest is not None and latest.trigger is not None
    assert [cause.told.partition(" was due")[0] for cause in latest.trigger.causes] == [
        "`every 2s`", "`cron * * * * * *` (Etc/UTC)",
    ]  # fmt: skip


def test_a_metric_that_another_job_logs_starts_a_run(shop: Shop) -> None:
    metric = ("watch", ".", "--once", "--env-manager", "local", "--on-metric", "drift > 60")
    assert shop(*metric, "--on-metric", "rmse >= 0", *DELIVERING).code == 8
    shop.set_data("70")
    first = shop(*metric, "--on-data", "--on-metric", "rmse >= 0", *DELIVERING, "--json").document["run"]
    # what a run of the watch logged itself is no reason for the next
    served = (*metric, "--of", "models:/wine/Production", *DELIVERING)
    assert shop(*served, "--on-metric", "rmse >= 0").code == 8
    shop.measure(first["run_id"], 59)
    assert shop(*served).code == 8
    shop.measure(first["run_id"], 61)
    run = shop(*served, "--json").document["run"]
    (cause,) = run["trigger"]["causes"]
    assert cause["of"] == "`models:/wine/Production`" and cause["condition"] == "drift > 60"
    assert cause["after"]["run_id"] == first["run_id"] and cause["after"]["value"] == 61
    # the model in Production is another one now, of which nothing is known
    assert shop(*served).code == 8
    shop.measure(run["run_id"], 99)
    in_experiment = (*metric, "--of", "Default")
    assert shop(*in_experiment).code == 0
    assert shop(*in_experiment).code == 8
    told = shop("lineage", f"runs:/{run['run_id']}", "--up").stdout
    assert "triggered by run `" in told and "drift=" not in told
    assert shop("verify").code == 0


def test_what_steps_of_its_runs_log_is_no_reason_for_the_next(shop: Shop) -> None:
    bare = ("watch", ".", "-e", "bare", "--once", "--env-manager", "local")
    own = shop(*bare, "--every", "1h", "--json").document["run"]["run_id"]
    codes = []
    for parent in (own, None):
        with shop.store() as store:
            step = begun(store.blobs)
            assert step.job is not None
            step = replace(step, job=replace(step.job, parent=parent))
            with store.begin(step):
                store.seal(ended(store.blobs, step, rmse=99))
        codes.append(shop(*bare, "--on-metric", "rmse > 80").code)
    assert codes == [8, 0]


def test_data_that_is_being_written_is_waited_for(shop: Shop, tmp_path: Path) -> None:
    with watching_for(shop, tmp_path / "store", RegistryDesk(None)) as watcher, shop.store() as store:
        found = []
        for text in ("1", "1\n2", "1\n2\n3", "1\n2\n3", "1\n2\n3"):
            shop.set_data(text)
            found.append(watcher.look(store, once=False)[1])
        assert [trigger is not None for trigger in found] == [False, False, False, True, True]
        assert watcher.look(store, once=True)[1] is not None


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 2, "nothing says when to run"),
        (("--cron", "0 3 * *"), 2, "`0 3 * *` is no schedule of cron's: wrong number of fields"),
        (("--every", "soon"), 2, "`soon` is not a length of time"),
        (("--on-metric", "rmse above 3"), 2, "`rmse above 3` is no condition on a metric"),
        (("--on-metric", "x > 1", "--of", "nowhere"), 5, "there is no experiment `nowhere`"),
        (("--on-metric", "x > 1", "--of", "models:/none@best"), 5, "none"),
        (("--every", "1h", "--of", "Default"), 2, "`--of` says where a metric is looked for"),
        (("--on-data", "-e", "bare"), 2, "the entry point `bare` has no data to watch"),
        (("--data", "tabel"), 2, "`tabel` is no data of the entry point `main`"),
        (("--on-data", "-e", "mian"), 2, "there is no entry point `mian`"),
        (("--on-data", "--promote", "Production"), 2, "only what is registered is promoted"),
        (("--on-data", "--register", ":x"), 2, "`:x` names no model"),
        (("--on-data", "--name", "a b"), 2, "`a b` cannot be the name of a watch"),
        (("--on-data", "--name", "taken"), 2, "the watch `taken` runs `bare` of"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    arguments: tuple[str, ...], code: int, told: str, shop: Shop
) -> None:
    if "taken" in arguments:
        local = ("--once", "--env-manager", "local")
        assert shop("watch", ".", "-e", "bare", "--every", "1h", "--name", "taken", *local).code == 0
    answer = shop("watch", ".", *arguments, "--once", "--env-manager", "local")
    assert answer.code == code and told in answer.stderr and answer.stderr.count("error: ") == 1
