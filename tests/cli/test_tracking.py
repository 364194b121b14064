"""What a script logs by MLflow's protocol, as it speaks it without MLflow: recorded, shown and sealed."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from mlproj.model.redaction import ENDPOINT
from tests.cli.conftest import LOCAL, Mlproj, single
from tests.conftest import ProjectMaker
from tests.mlflow_clients import ENDS, QUIET, ClientPython, client_python

__all__ = ["client_python"]

SCRIPT = """\
import json, os, sys, time, urllib.request

URI, RUN = os.environ["MLFLOW_TRACKING_URI"], os.environ["MLFLOW_RUN_ID"]

def post(route, **fields):
    request = urllib.request.Request(
        f"{URI}/api/2.0/mlflow/{route}", json.dumps(fields).encode(), {"Content-Type": "application/json"}
    )
    return json.load(urllib.request.urlopen(request))

def log(run_id, key, *values):
    for step, value in enumerate(values):
        post("runs/log-metric", run_id=run_id, key=key, value=value, timestamp=1000 + step, step=step)

log(RUN, "rmse", 0.9, 0.4, 0.5)
post("runs/log-parameter", run_id=RUN, key="depth", value="3")
post("runs/set-tag", run_id=RUN, key="team", value="blue")
with open(os.path.join(os.environ["MLPROJ_OUTPUT_DIR"], "note.txt"), "w") as file:
    file.write("hello\\n")
for name in ("one", "two"):
    child = post("runs/create", experiment_id="0", run_name=name, start_time=int(time.time() * 1000))
    child_id = child["run"]["info"]["run_id"]
    log(child_id, "rmse", len(name))
    post("runs/update", run_id=child_id, status="FINISHED", end_time=int(time.time() * 1000))
print("endpoint", URI)
"""


@pytest.fixture
def project(make_project: ProjectMaker) -> Path:
    return make_project({"MLproject": single("python3 train.py"), "train.py": SCRIPT})


def test_what_a_script_logs_is_shown_and_sealed(project: Path, mlproj: Mlproj) -> None:
    answer = mlproj("run", ".", *LOCAL, "--run-name", "main", cwd=project)
    assert answer.code == 0, answer.stderr
    assert "metrics: rmse 0.5" in answer.stderr
    run = mlproj("show", "last", "--json").document
    assert run["name"] == "main" and run["metrics"] == {"rmse": 0.5}
    assert run["parameters"]["depth"] == {"value": "3", "type": "logged", "origin": "logged"}
    assert run["tags"]["team"] == "blue"
    assert [output["path"] for output in run["outputs"]] == ["artifacts/note.txt"]
    (metric,) = run["logged"]["metrics"]
    assert (metric["step"], metric["minimum"], metric["maximum"], metric["count"]) == (2, 0.4, 0.9, 3)
    page = mlproj("show", "last").stdout
    assert "step 2, 3 points, least 0.4, greatest 0.9" in page
    assert "depth" in page and "team" in page
    assert mlproj("verify").code == 0


def test_runs_that_a_script_begins_are_its_children(project: Path, mlproj: Mlproj) -> None:
    assert mlproj("run", ".", *LOCAL, "--run-name", "main", cwd=project).code == 0
    lines = mlproj("runs").stdout.splitlines()[1:]
    assert [line.split()[1:3] for line in lines] == [["main", "FINISHED"], ["└", "one"], ["└", "two"]]
    parent = mlproj("show", "main", "--json").document
    child = mlproj("show", "two", "--json").document
    assert child["parent"] == parent["run_id"] and child["run_id"] in parent["children"]
    assert child["plan"] == parent["plan"] and child["record"] is not None
    ranked = mlproj("runs", "--sort", "metrics.rmse", "--json").document["runs"]
    assert [run["metrics"]["rmse"] for run in ranked] == [0.5, 3, 3]


MANY = """\
import json, os
folder = os.path.join(os.environ["MLPROJ_OUTPUT_DIR"], "model")
os.mkdir(folder)
for name in ("MLmodel", "model.pkl"):
    with open(os.path.join(folder, name), "w") as file:
        file.write("12345")
with open("metrics.json", "w") as file:
    json.dump({name: 1 for name in "abcdez"}, file)
"""


def test_a_model_is_a_line_and_what_is_sorted_by_comes_first(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project = make_project(
        {"MLproject": single("python3 many.py", metrics="[metrics.json]"), "many.py": MANY}
    )
    answer = mlproj("run", ".", *LOCAL, cwd=project)
    assert "\nmodel: artifacts/model (2 files, 10 B)\n" in answer.stderr and "pkl" not in answer.stderr
    (row,) = mlproj("runs", "--sort", "-metrics.z").stdout.splitlines()[1:]
    assert row.split("  ")[-1] == "z=1 a=1 b=1 c=1"


def test_the_token_is_nowhere_once_the_run_has_ended(project: Path, mlproj: Mlproj) -> None:
    answer = mlproj("run", ".", *LOCAL, cwd=project)
    (line,) = answer.stdout.splitlines()
    assert line.startswith("endpoint http://127.0.0.1:") and line.endswith("/t/***")
    assert mlproj("logs").stdout == answer.stdout


def test_a_script_that_logs_nothing_has_nothing_logged(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make_project({"MLproject": single("echo done")})
    run = mlproj("run", ".", *LOCAL, "--json", cwd=project).document
    assert run["logged"] is None and run["metrics"] == {}


def test_tracking_can_be_turned_off(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make_project({"MLproject": single("'env | grep -c ^MLFLOW_ || true'")})
    assert mlproj("run", ".", *LOCAL, "--no-tracking", cwd=project).stdout == "0\n"
    assert mlproj("run", ".", *LOCAL, cwd=project).stdout == "4\n"


STEP = """\
import json, os, subprocess, sys

command = json.loads(os.environ["MLPROJ_EXECUTABLE"])
sys.exit(subprocess.call([*command, "run", "--run-id", "f" * 32, "-e", "step", "--", ".."]))
"""


def test_a_step_is_run_by_mlproj_itself_whatever_lies_in_the_script_s_folder(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    entry_points = (
        "entry_points:\n  main: {command: cd sub && python3 pipeline.py}\n  step: {command: 'echo stepped'}\n"
    )
    hostile = dict.fromkeys(
        ("sub/typer.py", "sub/mlproj.py", "sub/msgspec.py"), "raise SystemExit('not this one')\n"
    )
    project = make_project({"MLproject": entry_points, "sub/pipeline.py": STEP, **hostile})
    answer = mlproj("run", ".", *LOCAL, cwd=project)
    assert answer.code == 0 and answer.stdout == "stepped\n", answer.stderr
    step = mlproj("show", "f" * 32, "--json").document
    assert step["parent"] == mlproj("show", "last", "--json").document["run_id"]
    assert step["environment"]["because"] == "--env-manager local"


LOCALLY = """\
import json, os, subprocess, sys, sysconfig

if sys.argv[1:] == ["spoil"]:
    os.mkdir(os.path.join(sysconfig.get_path("purelib"), "extra-1.0.dist-info"))
command = json.loads(os.environ["MLPROJ_EXECUTABLE"])
sys.exit(subprocess.call([*command, "run", "-e", "step", "--env-manager", "local", "."]))
"""


def test_a_step_in_the_parents_own_environment_is_recorded_with_its_lock(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    entry_points = (
        "python_env: python_env.yaml\nentry_points:\n"
        "  main: {command: python locally.py}\n  other: {command: python locally.py spoil}\n"
        "  step: {command: 'python -c 1'}\n"
    )
    needs = "dependencies: [six==1.17.0]\n"
    files = {"MLproject": entry_points, "python_env.yaml": needs, "locally.py": LOCALLY}
    project = make_project(files)
    answer = mlproj("run", ".", cwd=project)
    assert answer.code == 0, answer.stderr
    parent = mlproj("show", "last", "--json").document
    (step,) = (mlproj("show", run_id, "--json").document for run_id in parent["children"])
    environment = step["environment"]
    assert environment["because"] == "--env-manager local, within an environment of ours"
    left = {"because"}
    assert {key: environment[key] for key in environment if key not in left} == {
        key: value for key, value in parent["environment"].items() if key not in left
    }
    assert mlproj("run", ".", "-e", "step", "--json", cwd=project).document["plan"] == step["plan"]

    assert mlproj("run", ".", "-e", "other", cwd=project).code == 0
    (step,) = mlproj("show", "last", "--json").document["children"]
    spoilt = mlproj("show", step, "--json").document["environment"]
    assert (spoilt["kind"], spoilt["packages"]) == ("system", environment["packages"] + 1)


NAMING = """\
import json, os, sys, urllib.request

def call(route, **fields):
    data = json.dumps(fields).encode() if fields else None
    return json.load(urllib.request.urlopen(urllib.request.Request(
        f"{os.environ['MLFLOW_TRACKING_URI']}/api/2.0/{route}", data, {"Content-Type": "application/json"}
    )))

run_id = os.environ["MLFLOW_RUN_ID"]
if "hooked" in sys.argv:
    call("mlproj/hook")
if "late" in sys.argv:
    call("mlflow/runs/set-tag", run_id=run_id, key="begun", value="yes")
call("mlflow/experiments/create", name="mine")
call("mlflow/experiments/get-by-name?experiment_name=mine")
print(call(f"mlflow/runs/get?run_id={run_id}")["run"]["info"]["experiment_id"] != "0")
"""


@pytest.mark.parametrize(
    ("argument", "options", "moved"),
    [
        ("", (), True),
        ("hooked", (), False),
        ("late", (), False),
    ],
)
def test_where_no_hook_can_run_a_run_goes_to_the_experiment_that_its_script_looks_up(
    make_project: ProjectMaker, mlproj: Mlproj, argument: str, options: tuple[str, ...], moved: bool
) -> None:
    project = make_project({"MLproject": single(f"python3 -I name.py {argument}"), "name.py": NAMING})
    answer = mlproj("run", ".", *LOCAL, *options, cwd=project)
    assert answer.stdout == f"{moved}\n", answer.stderr
    assert mlproj("show", "--json").document["experiment"] == ("mine" if moved else "Default")
    assert mlproj("verify").code == 0


LED = """\
import json, os, urllib.error, urllib.request

URI = os.environ["MLFLOW_TRACKING_URI"]

def call(route, **fields):
    data = json.dumps(fields).encode() if fields else None
    request = urllib.request.Request(f"{URI}/api/2.0/mlflow/{route}", data)
    request.add_header("Content-Type", "application/json")
    return json.load(urllib.request.urlopen(request))

def named(name):
    try:
        return call(f"experiments/get-by-name?experiment_name={name}")["experiment"]["name"]
    except urllib.error.HTTPError as error:
        return error.code

call("experiments/create", name="mine")
told = [named("mine"), named("theirs"), named("chosen")]
told.append(call("experiments/get?experiment_id=0")["experiment"]["name"])
call("runs/update", run_id=os.environ["MLFLOW_RUN_ID"], status="RUNNING")
told += [named("mine"), named("theirs")]
print(json.dumps(told))
"""


def test_where_no_hook_can_run_a_script_is_led_to_the_experiment_that_a_person_named(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project = make_project({"MLproject": single("python3 -I led.py"), "led.py": LED})
    answer = mlproj("run", ".", *LOCAL, "--experiment-name", "chosen", cwd=project)
    assert answer.code == 0, answer.stderr
    assert json.loads(answer.stdout) == [*["chosen"] * 4, "mine", 404]
    run = mlproj("show", "--json").document
    assert run["experiment"] == "chosen" and run["tags"] == {"mlproj.experiment.asked": "Default"}
    assert mlproj("verify").code == 0


NAMES = """\
import mlflow

mlflow.set_experiment("of the script")
with mlflow.start_run():
    mlflow.log_metric("rmse", 0.5)
"""


@pytest.mark.parametrize("line", ENDS)
@pytest.mark.parametrize("options", [(), ("--experiment-name", "chosen")])
def test_a_script_goes_on_without_the_hook(
    line: str,
    options: tuple[str, ...],
    client_python: ClientPython,
    make_project: ProjectMaker,
    mlproj: Mlproj,
) -> None:
    project = make_project({"MLproject": single("python names.py"), "names.py": NAMES})
    path = os.pathsep.join((str(client_python(line).parent), os.environ["PATH"]))
    answer = mlproj("run", ".", *LOCAL, "--no-hook", *options, cwd=project, variables={**QUIET, "PATH": path})
    assert answer.code == 0, answer.stderr
    run = mlproj("show", "--json").document
    assert run["metrics"] == {"rmse": 0.5}
    asked = {"mlproj.experiment.asked": "of the script"} if options else {}
    assert (run["experiment"], run["tags"]) == ("chosen" if options else "of the script", asked)
    again = mlproj("reproduce", run["run_id"], "--json", variables={**QUIET, "PATH": path})
    assert again.code == 0 and again.document["verdict"]["grade"] == "identical", again.stderr
    repeated = mlproj("show", "--json").document
    assert (repeated["reproduces"], repeated["experiment"]) == (run["run_id"], run["experiment"])


OUTER = """\
import json, os, subprocess, sys

uri = os.environ["MLFLOW_TRACKING_URI"]
command = json.loads(os.environ["MLPROJ_EXECUTABLE"])
sys.exit(subprocess.call([*command, "run", "-e", "step", "-P", "uri=" + uri, "-P", "more=" + uri, "."]))
"""
INNER = """\
import json, os, sys, urllib.request

body = {"run_id": os.environ["MLFLOW_RUN_ID"], "key": "given", "value": "as " + sys.argv[1]}
request = urllib.request.Request(
    os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/runs/log-parameter",
    json.dumps(body).encode(),
    {"Content-Type": "application/json"},
)
urllib.request.urlopen(request).close()
print("given", sys.argv[1], sys.argv[1].rpartition("/")[2])
"""


def test_a_step_that_is_given_its_parent_s_address_keeps_it_to_itself(
    make_project: ProjectMaker, mlproj: Mlproj, tmp_path: Path
) -> None:
    entry_points = (
        "entry_points:\n  main: {command: python3 outer.py}\n"
        "  step: {parameters: {uri: string}, command: 'python3 inner.py {uri}'}\n"
    )
    project = make_project({"MLproject": entry_points, "outer.py": OUTER, "inner.py": INNER})
    answer = mlproj("run", ".", *LOCAL, cwd=project)
    assert answer.code == 0, answer.stderr
    assert re.fullmatch(r"given http://127.0.0.1:\d+/t/\*\*\* \*\*\*\n", answer.stdout)
    (step,) = mlproj("show", "last", "--json").document["children"]
    assert mlproj("logs", step).stdout == answer.stdout
    files = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert files and not any(ENDPOINT.search(path.read_bytes().decode("latin-1")) for path in files)


NESTING = """\
import json, os, subprocess, sys, urllib.request

mine = os.environ["MLFLOW_TRACKING_URI"].rpartition("/")[2]
tokens = [*sys.argv[2:], mine]
with open(os.environ["TOKENS"], "w") as file:
    json.dump(tokens, file)
body = {"run_id": os.environ["MLFLOW_RUN_ID"], "key": "known", "value": " ".join(tokens)}
request = urllib.request.Request(
    os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/runs/set-tag",
    json.dumps(body).encode(),
    {"Content-Type": "application/json"},
)
urllib.request.urlopen(request).close()
print(*tokens, flush=True)
depth = int(sys.argv[1])
if depth:
    command = json.loads(os.environ["MLPROJ_EXECUTABLE"])
    given = ["-P", f"depth={depth - 1}", "-P", "known=" + " ".join(tokens), "--tag", "given=" + tokens[0]]
    sys.exit(subprocess.call([*command, "run", "-e", "inner", *given, "."]))
"""


NESTED = """\
entry_points:
  main: {command: python3 nesting.py 2}
  inner:
    parameters: {depth: int, known: string}
    command: python3 nesting.py {depth} $(echo {known})
"""


def test_a_run_deep_in_others_keeps_their_tokens_to_itself(
    make_project: ProjectMaker, mlproj: Mlproj, tmp_path: Path
) -> None:
    project = make_project({"MLproject": NESTED, "nesting.py": NESTING})
    answer = mlproj("run", ".", *LOCAL, cwd=project, variables={"TOKENS": str(tmp_path / "tokens")})
    assert answer.stdout == "***\n*** ***\n*** *** ***\n"
    tokens = json.loads((tmp_path / "tokens").read_text())
    assert len(set(tokens)) == 3
    files = [path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()]
    shown = answer.stderr.encode() + mlproj("runs", "--json").stdout.encode()
    assert not any(token.encode() in content for token in tokens for content in (*files, shown))
