"""What every tracking store does with runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mlproj.errors import NotFound, RunNotFound, UsageError
from mlproj.model.search import Kind, Operator, Search
from mlproj.model.tracking import (
    Batch,
    Dataset,
    DatasetInput,
    Lifecycle,
    ModelOutput,
    NewRun,
    RunStatus,
)
from tests.contracts.served import ALL, CONTEXT, DATA, START, Served, logged, metric, where


def test_a_run_is_begun_and_found(served: Served) -> None:
    made = served.runs.create(
        NewRun(
            experiment_id="0",
            name="calm-heron",
            user="ada",
            started=START,
            tags=(("mlflow.source.name", "train.py"), ("mlflow.runName", "calm-heron")),
        )
    )
    assert made == served.runs.get(made.run_id)
    assert made.status is RunStatus.RUNNING
    assert (made.name, made.user, made.started, made.ended) == ("calm-heron", "ada", START, None)
    assert made.tags == (("mlflow.runName", "calm-heron"), ("mlflow.source.name", "train.py"))
    assert made.artifact_uri.endswith(f"/{made.run_id}/artifacts")


def test_a_run_without_a_name_gets_one(served: Served) -> None:
    tagged = served.runs.create(
        NewRun(experiment_id="0", name="", user="", started=0, tags=(("mlflow.runName", "tagged"),))
    )
    assert tagged.name == "tagged"
    assert served.runs.get(served.run(name="")).name


def test_artifacts_are_where_the_experiment_says(served: Served) -> None:
    made = served.experiments.create("wine", artifact_location="s3://bucket/wine/")
    run_id = served.run(experiment_id=made.experiment_id)
    assert served.runs.get(run_id).artifact_uri == f"s3://bucket/wine/{run_id}/artifacts"


def test_a_run_that_is_not_there_is_not_found(served: Served) -> None:
    calls: tuple[Callable[[], object], ...] = (
        lambda: served.runs.get("x"),
        lambda: served.runs.update("x", status=RunStatus.FINISHED),
        lambda: served.runs.set_lifecycle("x", Lifecycle.DELETED),
        lambda: served.runs.move("x", "0"),
        lambda: served.runs.log("x", Batch()),
        lambda: served.runs.delete_tag("x", "key"),
        lambda: served.runs.log_inputs("x", ()),
        lambda: served.runs.log_outputs("x", ()),
        lambda: served.runs.history("x", "key"),
        lambda: served.runs.sampled(("x",), "key", 5),
        lambda: served.runs.summaries("x"),
    )
    for call in calls:
        with pytest.raises(RunNotFound, match="Run with id=x not found"):
            call()
    with pytest.raises(NotFound, match="No Experiment with id=9 exists"):
        served.run(experiment_id="9")


def test_a_deleted_run_takes_nothing(served: Served) -> None:
    run_id = served.run()
    served.runs.set_lifecycle(run_id, Lifecycle.DELETED)
    calls: tuple[Callable[[], object], ...] = (
        lambda: served.runs.update(run_id, status=RunStatus.FINISHED),
        lambda: served.runs.move(run_id, "0"),
        lambda: served.runs.log(run_id, logged(metric("loss", 1))),
        lambda: served.runs.delete_tag(run_id, "key"),
        lambda: served.runs.log_inputs(run_id, ()),
        lambda: served.runs.log_outputs(run_id, ()),
    )
    for call in calls:
        with pytest.raises(UsageError, match=r"must be in the 'active' state\. Current state is deleted"):
            call()
    served.runs.set_lifecycle(run_id, Lifecycle.ACTIVE)
    served.runs.log(run_id, logged(metric("loss", 1)))
    assert served.runs.get(run_id).lifecycle is Lifecycle.ACTIVE


def test_a_params_value_stays(served: Served) -> None:
    run_id = served.run()
    served.runs.log(run_id, logged(params={"alpha": "0.5"}))
    served.runs.log(run_id, logged(params={"alpha": "0.5", "beta": "x"}))
    assert served.runs.get(run_id).params == (("alpha", "0.5"), ("beta", "x"))
    told = (
        r"Changing param values is not allowed\. Param with key='alpha' was already logged with value='0.5'"
        f" for run ID='{run_id}'. Attempted logging new value '0.50'."
    )
    with pytest.raises(UsageError, match=told):
        served.runs.log(run_id, logged(metric("loss", 1), params={"gamma": "1", "alpha": "0.50"}))
    found = served.runs.get(run_id)
    assert (len(found.params), found.metrics) == (2, ()), "a batch is logged whole or not at all"


def test_tags_of_a_run_are_set_changed_and_taken_away(served: Served) -> None:
    run_id = served.run()
    served.runs.log(run_id, logged(team="red", kind="draft"))
    served.runs.log(run_id, logged(team="blue"))
    served.runs.delete_tag(run_id, "kind")
    assert dict(served.runs.get(run_id).tags) == {"mlflow.runName": "calm-heron", "team": "blue"}
    with pytest.raises(NotFound, match=f"No tag with name: kind in run with id {run_id}"):
        served.runs.delete_tag(run_id, "kind")


def test_a_name_is_a_tag_too(served: Served) -> None:
    run_id = served.run()
    served.runs.log(run_id, Batch(tags=(("mlflow.runName", "bold-heron"),)))
    assert served.runs.get(run_id).name == "bold-heron"
    served.runs.update(run_id, name="odd-heron")
    assert dict(served.runs.get(run_id).tags)["mlflow.runName"] == "odd-heron"
    search = Search(where=where(Kind.TAG, "mlflow.runName", Operator.EQUAL, "odd-heron"))
    assert [run.run_id for run in served.runs.search(("0",), search, ALL)[0]] == [run_id]


def test_a_client_sees_the_status_that_it_set(served: Served) -> None:
    run_id = served.run()
    updated = served.runs.update(run_id, status=RunStatus.FAILED, ended=START + 5)
    assert updated == served.runs.get(run_id)
    assert (updated.status, updated.ended) == (RunStatus.FAILED, START + 5)
    resumed = served.runs.update(run_id, status=RunStatus.RUNNING)
    assert (resumed.status, resumed.ended) == (RunStatus.RUNNING, START + 5)
    served.runs.log(run_id, logged(metric("loss", 1), params={"late": "1"}, late="yes"))
    again = served.runs.update(run_id, status=RunStatus.FINISHED, ended=START + 9)
    assert (again.status, again.ended, again.params) == (RunStatus.FINISHED, START + 9, (("late", "1"),))


def test_a_run_moves_to_another_experiment_while_it_goes_on(served: Served) -> None:
    made, run_id = served.experiments.create("wine"), served.run()
    served.runs.move(run_id, made.experiment_id)
    assert served.runs.get(run_id).experiment_id == made.experiment_id
    served.runs.update(run_id, status=RunStatus.FINISHED)
    served.runs.move(run_id, made.experiment_id)
    with pytest.raises(UsageError, match="has ended"):
        served.runs.move(run_id, "0")


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_text_that_no_record_can_hold_is_refused(served: Served, text: str) -> None:
    run_id = served.run()
    calls: tuple[Callable[[], object], ...] = (
        lambda: served.experiments.create(text),
        lambda: served.experiments.rename("0", text),
        lambda: served.experiments.set_tag("0", text, "x"),
        lambda: served.run(name=text),
        lambda: served.runs.update(run_id, name=text),
        lambda: served.runs.log(run_id, logged(metric(text, 1))),
        lambda: served.runs.log(run_id, logged(params={"x": text})),
        lambda: served.runs.log(run_id, logged(x=text)),
        lambda: served.runs.log_inputs(
            run_id, (DatasetInput(dataset=Dataset(name=text, digest="", source_type="", source="")),)
        ),
        lambda: served.runs.log_outputs(run_id, (ModelOutput(model_id=text),)),
    )
    for call in calls:
        with pytest.raises(UsageError, match="cannot be stored"):
            call()


@pytest.mark.parametrize("moment", [-1, 2**60])
def test_a_moment_that_no_record_can_hold_is_refused(served: Served, moment: int) -> None:
    run_id = served.run()
    with pytest.raises(UsageError, match="no time"):
        served.run(started=moment)
    with pytest.raises(UsageError, match="no time"):
        served.runs.update(run_id, status=RunStatus.FINISHED, ended=moment)
    for step, timestamp in ((2**60, 0), (0, -(2**60))):
        with pytest.raises(UsageError, match="beyond"):
            served.runs.log(run_id, logged(metric("loss", 1, step=step, timestamp=timestamp)))


def test_datasets_are_inputs_once(served: Served) -> None:
    first, second = served.run(), served.run(started=START + 1)
    read = DatasetInput(dataset=DATA, tags=((CONTEXT, "training"), ("a", "b")))
    served.runs.log_inputs(first, (read, DatasetInput(dataset=DATA, tags=((CONTEXT, "eval"),))))
    served.runs.log_inputs(first, (read,))
    served.runs.log_inputs(second, (DatasetInput(dataset=DATA),))
    assert served.runs.get(first).inputs == (
        DatasetInput(dataset=DATA, tags=(("a", "b"), (CONTEXT, "training"))),
    )
    assert served.runs.get(second).inputs == (DatasetInput(dataset=DATA),)
    assert sorted(served.runs.datasets(("0", "x")), key=repr) == [
        ("0", "wine", "9a8b", "training"),
        ("0", "wine", "9a8b", None),
    ]
    search = Search(where=where(Kind.DATASET, "context", Operator.EQUAL, "training"))
    assert [run.run_id for run in served.runs.search(("0",), search, ALL)[0]] == [first]


def test_models_are_inputs_and_outputs(served: Served) -> None:
    run_id = served.run()
    served.runs.log_inputs(run_id, (), ("m-1",))
    served.runs.log_outputs(run_id, (ModelOutput(model_id="m-2", step=3), ModelOutput(model_id="m-3")))
    served.runs.log_outputs(run_id, (ModelOutput(model_id="m-3"),))
    found = served.runs.get(run_id)
    assert found.model_inputs == ("m-1",)
    assert found.model_outputs == (ModelOutput(model_id="m-3"), ModelOutput(model_id="m-2", step=3))
