"""A case for each sentence about MLflow's MLproject syntax: what MLflow gives, or the better thing.

In one file, and in the order of MLflow's page, to be read beside it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mlproj.errors import EnvironmentFailed, ParameterError, SpecError, UsageError
from mlproj.model.environment import CondaSpec, DockerSpec, SystemSpec, VirtualenvSpec
from mlproj.model.plan import Origin
from mlproj.model.project import ParameterType
from mlproj.planning.command import render
from mlproj.planning.entry import find_entry_point
from mlproj.planning.parameters import bind
from mlproj.services.locate import locate
from mlproj.spec import environment_for
from tests.spec.making import MAIN, entry, parameter, project, refused


@pytest.mark.parametrize("name", ["MLproject", "mlproject", "mlPROJECT", "MLProject", "MLPROJECT"])
def test_the_files_name_is_matched_without_regard_to_case(tmp_path: Path, name: str) -> None:
    found = project(tmp_path, {name: MAIN})
    assert found.file == name
    assert found.entry_point("main") is not None


def test_mlproject_yaml_is_not_read_and_it_is_said(tmp_path: Path) -> None:
    found = project(tmp_path, {"MLproject.yaml": MAIN})
    assert found.file is None
    assert found.entry_points == ()
    assert found.findings[0].hint == "call it `MLproject`"


def test_no_file_is_a_project_with_no_entry_points(tmp_path: Path) -> None:
    found = project(tmp_path, {})
    assert (found.name, found.file, found.entry_points) == (None, None, ())


def test_misspelt_keys_are_ignored_and_told_with_what_was_meant(tmp_path: Path) -> None:
    text = "nmae: x\nentry_points:\n  main:\n    paramters: {a: float}\n    command: echo\n"
    found = project(tmp_path, {"MLproject": text})
    assert found.name is None
    told = [(str(item.location), item.hint) for item in found.findings]
    assert told == [("MLproject:1", "did you mean `name`?"), ("MLproject:4", "did you mean `parameters`?")]


@pytest.mark.parametrize(
    ("key", "meant"),
    [("entry_point", "entry_points"), ("conda-env", "conda_env"), ("python-env", "python_env")],
)
def test_misspelt_top_keys_are_told(tmp_path: Path, key: str, meant: str) -> None:
    found = project(tmp_path, {"MLproject": f"name: x\n{key}: a.yaml\n"})
    assert found.findings[0].hint == f"did you mean `{meant}`?"
    assert found.findings[0].severity == "warning"


def test_two_environments_at_once_are_refused(tmp_path: Path) -> None:
    text = "python_env: a.yaml\nconda_env: b.yaml\n"
    error = refused(tmp_path, {"MLproject": text})
    assert "`python_env` and `conda_env`" in error.message
    assert error.message.endswith("(MLproject:2)")


@pytest.mark.parametrize("key", ["python_env", "conda_env"])
def test_an_environment_file_that_is_missing_is_refused(tmp_path: Path, key: str) -> None:
    error = refused(tmp_path, {"MLproject": f"{key}: envs/a.yaml\n", "envs/b.yaml": ""})
    assert f"`{key}` names `envs/a.yaml`, and there is no such file" in error.message
    assert error.hint == "did you mean `b.yaml`?"


def test_python_env_is_a_path_relative_to_the_project(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "MLproject": "python_env: envs/python.yaml\n",
        "envs/python.yaml": (
            'python: "3.10"\nbuild_dependencies: [pip, setuptools==60]\n'
            "dependencies:\n  - numpy==1.0\n  - -r requirements.txt\n"
        ),
        "requirements.txt": "six  # why\n-c more/constraints.txt\n",
        "more/constraints.txt": "-r other.txt\nsix<2\n",
        "more/other.txt": "attrs\n",
    }
    spec = project(tmp_path, files).environment
    assert spec == VirtualenvSpec(
        python="3.10",
        build_dependencies=("pip", "setuptools==60"),
        dependencies=("numpy==1.0", "-r requirements.txt"),
        files=("envs/python.yaml", "requirements.txt", "more/constraints.txt", "more/other.txt"),
        because="`python_env` in MLproject",
    )


def test_conda_env_keeps_channels_packages_and_the_nested_pip_list(tmp_path: Path) -> None:
    text = (
        "name: e\nchannels: [conda-forge]\ndependencies:\n- python=3.8\n- pytorch::torch=1\n"
        "- pip:\n  - mlflow==2.1\n  - git+https://example.org/a.git\nprefix: /opt/x\n"
    )
    found = project(tmp_path, {"MLproject": "conda_env: conda.yaml\n" + MAIN, "conda.yaml": text})
    assert found.environment == CondaSpec(
        file="conda.yaml",
        channels=("conda-forge",),
        dependencies=("python=3.8", "pytorch::torch=1"),
        pip=("mlflow==2.1", "git+https://example.org/a.git"),
        because="`conda_env` in MLproject",
    )
    assert found.findings == ()


def test_docker_env_holds_image_volumes_and_variables(tmp_path: Path) -> None:
    text = (
        "name: x\ndocker_env:\n  image: ubuntu:22.04\n  volumes: ['/a:/b']\n"
        "  environment: [['K', 'v'], HOME]\n"
    )
    assert project(tmp_path, {"MLproject": text}).environment == DockerSpec(
        image="ubuntu:22.04",
        volumes=("/a:/b",),
        environment=(("K", "v"), ("HOME", None)),
        because="`docker_env` in MLproject",
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{volumes: [a]}", "names no `image`"),
        ("[a]", "must be a mapping with an `image`"),
        ("{image: a, volumes: b}", "`docker_env.volumes` must be a list"),
        ("{image: a, volumes: [1]}", "`docker_env.volumes` must be a list of texts"),
        ("{image: a, environment: {A: b}}", "`docker_env.environment` must be a list"),
        ("{image: a, environment: [[A, b, c]]}", "neither a name nor a pair"),
        ("{image: a, environment: [1]}", "neither a name nor a pair"),
        ("{image: a, environment: [[A, null]]}", "neither a name nor a pair"),
        ("{image: a, environment: [A=b]}", "holds `A=b`, which no variable is called"),
        ("{image: a, environment: [['', b]]}", "holds ``, which no variable is called"),
    ],
)
def test_a_docker_env_that_mlflow_refuses_is_refused(tmp_path: Path, value: str, said: str) -> None:
    text = f"name: x\ndocker_env: {value}\n"
    assert said in refused(tmp_path, {"MLproject": text}).message


@pytest.mark.parametrize("value", ["", "null", "''", "false", "[]", "{}"])
@pytest.mark.parametrize("key", ["python_env", "conda_env", "docker_env"])
def test_an_environment_that_is_empty_counts_as_missing(tmp_path: Path, key: str, value: str) -> None:
    found = project(tmp_path, {"MLproject": f"name: x\n{key}: {value}\n"})
    assert found.environment == SystemSpec(because="the project names no environment")
    assert [item.message for item in found.findings] == [f"`{key}` is empty, and counts as missing"]


def test_a_docker_env_may_hold_numbers_for_texts_and_nothing_for_lists(tmp_path: Path) -> None:
    text = "name: x\ndocker_env: {image: a, volumes: {}, environment: [[PORT, 8080], HOME]}\n"
    found = project(tmp_path, {"MLproject": text}).environment
    assert isinstance(found, DockerSpec)
    assert (found.volumes, found.environment) == ((), (("PORT", "8080"), ("HOME", None)))


def test_a_docker_env_that_is_a_bare_text_is_the_image(tmp_path: Path) -> None:
    found = project(tmp_path, {"MLproject": "name: x\ndocker_env: ubuntu\n"})
    assert isinstance(found.environment, DockerSpec)
    assert found.environment.image == "ubuntu"


def test_a_docker_env_without_a_project_name_is_only_told(tmp_path: Path) -> None:
    found = project(tmp_path, {"MLproject": "docker_env: {image: a}\n"})
    assert ["name" in item.message for item in found.findings] == [True]


@pytest.mark.parametrize(
    ("files", "kind", "because"),
    [
        (("python_env.yaml", "conda.yaml", "requirements.txt"), VirtualenvSpec, "python_env.yaml"),
        (("conda.yaml", "environment.yml", "requirements.txt"), CondaSpec, "conda.yaml"),
        (("environment.yml", "uv.lock", "pyproject.toml"), CondaSpec, "environment.yml"),
        (("uv.lock", "pyproject.toml", "requirements.txt"), VirtualenvSpec, "uv.lock"),
        (("uv.lock", "requirements.txt"), VirtualenvSpec, "requirements.txt"),
        (("requirements.txt",), VirtualenvSpec, "requirements.txt"),
        (("pyproject.toml",), SystemSpec, "the project names no environment"),
    ],
)
def test_without_a_key_the_folder_says_which_environment(
    tmp_path: Path, files: tuple[str, ...], kind: type[object], because: str
) -> None:
    spec = project(tmp_path, {"MLproject": MAIN, **dict.fromkeys(files, "")}).environment
    assert isinstance(spec, kind)
    assert because in spec.because


def test_a_bare_environment_of_the_current_python_can_be_asked_for(tmp_path: Path) -> None:
    found = project(tmp_path, {"MLproject": MAIN})
    spec = environment_for(found, tmp_path, "virtualenv")
    assert spec == VirtualenvSpec(python=None, because="--env-manager virtualenv")


@pytest.mark.parametrize(
    ("text", "type", "default"),
    [
        ("a: float", ParameterType.FLOAT, None),
        ("a: {type: float, default: 0.5}", ParameterType.FLOAT, "0.5"),
        ("a: {default: 0.5}", ParameterType.STRING, "0.5"),
        ("a: {type: path}", ParameterType.PATH, None),
        ("a: {type: uri, default: 's3://b/c'}", ParameterType.URI, "s3://b/c"),
        ("a: {type: string, default: null}", ParameterType.STRING, None),
        ("a: {type: string, default: ''}", ParameterType.STRING, ""),
        ("a: {type: string, default: true}", ParameterType.STRING, "True"),
        ("a: {type: string, default: no}", ParameterType.STRING, "False"),
        ("a: {type: int, default: 010}", ParameterType.INT, "8"),
        ("a: {type: int, default: 1_000}", ParameterType.INT, "1000"),
        ("a: {type: float, default: 1e-3}", ParameterType.FLOAT, "1e-3"),
        ("a: {type: float, default: 1.0e-3}", ParameterType.FLOAT, "0.001"),
        ("a: {default: [1, 'b', 2.0]}", ParameterType.STRING, "[1, 'b', 2.0]"),
        ("a: {default: {b: 1}}", ParameterType.STRING, "{'b': 1}"),
        ("a: {default: 2020-01-02}", ParameterType.STRING, "2020-01-02"),
        ("a: {default: 1:30}", ParameterType.STRING, "90"),
        ("a: {default: .nan}", ParameterType.STRING, "nan"),
        ("a: {default: '{b}'}", ParameterType.STRING, "{b}"),
    ],
)
def test_parameters_have_a_type_and_a_default_as_python_prints_it(
    tmp_path: Path, text: str, type: ParameterType, default: str | None
) -> None:
    found, _ = parameter(tmp_path, text)
    assert (found.type, found.default) == (type, default)


@pytest.mark.parametrize(
    ("written", "type"),
    [
        ("str", ParameterType.STRING),
        ("integer", ParameterType.INT),
        ("number", ParameterType.FLOAT),
        ("double", ParameterType.FLOAT),
        ("boolean", ParameterType.BOOL),
        ("bool", ParameterType.BOOL),
        ("int", ParameterType.INT),
    ],
)
def test_common_names_of_types_are_known(tmp_path: Path, written: str, type: ParameterType) -> None:
    found, findings = parameter(tmp_path, f"a: {written}")
    assert (found.type, found.declared_type, findings) == (type, written, ())


@pytest.mark.parametrize("written", ["wibble", "list[int]", "Path"])
def test_a_type_nobody_knows_is_a_string_and_told(tmp_path: Path, written: str) -> None:
    found, findings = parameter(tmp_path, f"a: {{type: '{written}'}}")
    assert found.type is ParameterType.STRING
    assert found.declared_type == written
    assert f"`{written}` is no type that anybody knows" in findings[0].message


@pytest.mark.parametrize("text", ["a: {type: int, default: 'None'}", "a: {type: float, default: ''}"])
def test_a_default_that_does_not_fit_its_type_runs_as_written_and_is_told(tmp_path: Path, text: str) -> None:
    found, findings = parameter(tmp_path, text)
    assert findings[0].severity == "warning"
    main, _ = entry(tmp_path, f"parameters:\n  {text}\ncommand: echo '{{a}}'")
    bound = bind(main, {}, lambda text, origin: None)
    assert bound[0].text == found.default
    assert bound[0].origin is Origin.DEFAULT
    assert render(main, bound, {}) == f"echo '{found.default}'"


@pytest.mark.parametrize(
    ("declared", "given"), [("float", "abc"), ("int", "1.5"), ("bool", "maybe"), ("uri", "no uri")]
)
def test_a_given_value_that_does_not_fit_its_type_is_refused(
    tmp_path: Path, declared: str, given: str
) -> None:
    main, _ = entry(tmp_path, f"parameters:\n  a: {declared}\ncommand: echo {{a}}")
    with pytest.raises(ParameterError, match=rf"`a` must be .*`{given}` is not \(MLproject:4\)"):
        bind(main, {"a": given}, lambda text, origin: None)


def test_a_path_is_looked_up_from_the_caller_and_made_absolute(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    main, _ = entry(tmp_path / "p", "parameters:\n  a: path\ncommand: echo {a}")
    (tmp_path / "data.csv").write_text("1")
    bound = bind(
        main,
        {"a": "data.csv"},
        lambda text, origin: locate(text, origin, caller=tmp_path, project=tmp_path / "p"),
    )
    assert (bound[0].text, bound[0].located, bound[0].base) == ("data.csv", tmp_path / "data.csv", "caller")


def test_missing_parameters_are_all_named(tmp_path: Path) -> None:
    main, _ = entry(
        tmp_path, "parameters:\n  a: float\n  b: {description: the second}\n  c: {default: 1}\ncommand: echo"
    )
    with pytest.raises(ParameterError) as caught:
        bind(main, {}, lambda text, origin: None)
    assert "needs values for `a`, `b` (the second)" in caught.value.message
    assert caught.value.hint == "pass `-P a=VALUE` `-P b=VALUE`"


def test_extra_parameters_are_appended_and_a_flag_gets_an_empty_value(tmp_path: Path) -> None:
    main, _ = entry(tmp_path, "command: python t.py")
    bound = bind(main, {"flag": "", "k": "a b"}, lambda text, origin: None)
    assert render(main, bound, {}) == "python t.py --flag '' --k 'a b'"


@pytest.mark.parametrize(
    ("body", "given", "command"),
    [
        ("command: >\n  python t.py\n  --a {a}\n  --b 1", {}, "python t.py --a 1e-3 --b 1\n"),
        ("command: >-\n  python t.py\n    --a {a}\n  --b 1", {}, "python t.py\n  --a 1e-3\n--b 1"),
        (
            "command: |\n  python t.py \\\n    --a {a} \\\n    --b 1 \\",
            {"a": "x y"},
            "python t.py \\\n  --a 'x y' \\\n  --b 1 \\\n",
        ),
        ('command: "python t.py \\\n  --a {a} \\\n  --b 1"', {}, "python t.py --a 1e-3 --b 1"),
        ('command: "python t.py --a {a}\n  --b 1"', {}, "python t.py --a 1e-3 --b 1"),
        ("command: 'python t.py --a ''{a}'''", {"a": "0.1"}, "python t.py --a '0.1'"),
        (
            "command: python t.py --a={a} pre{a}post http://h:{a}/",
            {"a": "a b"},
            "python t.py --a='a b' pre'a b'post http://h:'a b'/",
        ),
        (
            'command: "python t.py x=1 $(echo {a})"',
            {"a": "b.c=1 d=2"},
            "python t.py x=1 $(echo 'b.c=1 d=2')",
        ),
        ("command: 'VAR={a} python t.py'", {"a": "x y"}, "VAR='x y' python t.py"),
        ("command: cd .. && python t.py {a}; ls | cat", {}, "cd .. && python t.py 1e-3; ls | cat"),
        ("command: \"awk '{{print $1}}' {a}\"", {}, "awk '{print $1}' 1e-3"),
        ("command: python t.py {a} {a!r} {a!s:>6}", {}, "python t.py 1e-3 '1e-3'   1e-3"),
        (
            "command: python t.py {a}",
            {"a": "", "flag": "", "n-x": "a b", "é": "*"},
            "python t.py '' --flag '' --n-x 'a b' --'é' '*'",
        ),
    ],
)
def test_a_command_is_the_one_that_mlflow_computes(
    tmp_path: Path, body: str, given: dict[str, str], command: str
) -> None:
    main, _ = entry(tmp_path, f"parameters:\n  a: {{type: str, default: 1e-3}}\n{body}")
    assert render(main, bind(main, given, lambda text, origin: None), {}) == command


def test_a_recorded_value_is_the_value_and_not_its_quoted_form(tmp_path: Path) -> None:
    main, _ = entry(tmp_path, "parameters: {m: string}\ncommand: echo {m}")
    assert bind(main, {"m": "hello world"}, lambda text, origin: None)[0].text == "hello world"


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("t.py", "python t.py --a 1"),
        ("my script.py", "python 'my script.py' --a 1"),
        ("{x}.py", "python '{x}.py' --a 1"),
        ("t.sh", '"${SHELL:-bash}" t.sh --a 1'),
        ("t.R", "Rscript -e 'mlflow::mlflow_source('\"'\"'t.R'\"'\"')' --args --a 1"),
    ],
)
def test_a_script_is_an_entry_point_by_its_name(tmp_path: Path, name: str, command: str) -> None:
    found = project(tmp_path, {name: ""})
    main = find_entry_point(found, name, lambda script: (tmp_path / script).is_file())
    assert render(main, bind(main, {"a": "1"}, lambda text, origin: None), {}) == command


@pytest.mark.parametrize(("name", "said"), [("train", "did you mean `tarin`?"), ("x.py", "entry points are")])
def test_a_name_that_is_nothing_is_told_with_what_there_is(tmp_path: Path, name: str, said: str) -> None:
    found = project(tmp_path, {"MLproject": "entry_points: {tarin: {command: echo}}"})
    with pytest.raises(UsageError) as caught:
        find_entry_point(found, name, lambda script: (tmp_path / script).is_file())
    assert said in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null\n"])
def test_an_empty_file_is_a_project_with_no_entry_points(tmp_path: Path, text: str) -> None:
    found = project(tmp_path, {"MLproject": text})
    assert found.entry_points == ()
    assert "is empty" in found.findings[0].message


def test_entry_points_that_are_null_are_none(tmp_path: Path) -> None:
    found = project(tmp_path, {"MLproject": "name: x\nentry_points:\n"})
    assert found.entry_points == ()
    assert "`entry_points` is empty" in found.findings[0].message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n", "must be a mapping, not a list (MLproject:1)"),
        ("hello\n", "must be a mapping, not a text (MLproject:1)"),
        ("entry_points: [a]\n", "`entry_points` must be a mapping, not a list (MLproject:1)"),
        ("entry_points:\n  main:\n", "`main` must be a mapping with a `command`, not nothing (MLproject:2)"),
        ("entry_points:\n  main: echo\n", "`main` must be a mapping with a `command`, not a text"),
        ("entry_points:\n  main: {}\n", "entry point `main` has no `command` (MLproject:2)"),
        ("entry_points:\n  main: {comand: a}\n", "entry point `main` has no `command` (MLproject:2)"),
        ("entry_points:\n  main: {command: }\n", "entry point `main` has no `command`"),
        ("entry_points:\n  main: {command: [a]}\n", "`entry_points.main.command` must be a text, not a list"),
        (
            "entry_points:\n  main:\n    parameters:\n      a: 5\n    command: a\n",
            "parameter `a` must be a type or a mapping, not a number (MLproject:4)",
        ),
        (
            "entry_points:\n  main:\n    parameters:\n      a:\n    command: a\n",
            "parameter `a` must be a type or a mapping, not nothing (MLproject:4)",
        ),
        ("entry_points:\n  main: {parameters: [a], command: a}\n", "must be a mapping, not a list"),
        ("name: a\n b: c\n", "is not valid YAML"),
        ("name: [a\n", "is not valid YAML"),
        ("name:\ta\n\tb: c\n", "is not valid YAML"),
        ("name: !!python/object:os.system x\n", "is a YAML tag that nothing here understands"),
        ("name: *a\n", "`*a` names an anchor that is not there"),
        ("a: &a [*a]\n", "`*a` names an anchor that is not there"),
        ("a: 1\n---\nb: 2\n", "more than one YAML document"),
        ("{[a]: b}\n", "a key must be a plain word"),
        ("name: {a: b}\n", "`name` must be a text, not a mapping"),
        ("name: 2020-99-99\n", "is not a valid timestamp in YAML (MLproject:1)"),
        ("name: " + "9" * 5000 + "\n", "is too long for a number (MLproject:1)"),
        (f"conda_env: {'a' * 5000}\n", "there is no such file"),
        ("conda_env: [a]\n", "`conda_env` must be the path of a file, not a list"),
        ("databricks_spark_job: {python_file: a.py}\n", "runs on Databricks only"),
    ],
)
def test_what_gives_a_traceback_elsewhere_gives_a_sentence_here(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(tmp_path, {"MLproject": text}).message


def test_a_spark_job_that_is_null_is_none(tmp_path: Path) -> None:
    found = project(tmp_path, {"MLproject": "databricks_spark_job:\n" + MAIN})
    assert found.entry_point("main") is not None


def test_an_unquoted_python_version_is_read_from_its_text_and_told(tmp_path: Path) -> None:
    found = project(tmp_path, {"python_env.yaml": "python: 3.10\n"})
    assert isinstance(found.environment, VirtualenvSpec)
    assert found.environment.python == "3.10"
    assert found.findings[0].hint == 'write `python: "3.10"`'


def test_a_python_env_without_a_version_takes_the_current_one(tmp_path: Path) -> None:
    found = project(tmp_path, {"python_env.yaml": "dependencies: [six]\n"})
    assert isinstance(found.environment, VirtualenvSpec)
    assert found.environment.python is None


def test_a_python_env_may_stand_in_the_mlproject_itself(tmp_path: Path) -> None:
    found = project(tmp_path, {"MLproject": "python_env: {python: '3.9', dependencies: [six]}\n"})
    assert found.environment == VirtualenvSpec(
        python="3.9", dependencies=("six",), files=("MLproject",), because="`python_env` in MLproject"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pyhton: '3.9'\n", "`pyhton` is not a key of a Python environment (python_env.yaml:1)"),
        ("python: [a]\n", "`python` must be a version, not a list"),
        ("python: latest\n", "`latest` is not a Python version"),
        ("dependencies: six\n", "`dependencies` must be a list, not a text"),
        ("dependencies: [{pip: [a]}]\n", "`dependencies` must be a list of texts, and holds a mapping"),
        ("dependencies:\n- six\n- -r gone.txt\n", "no requirements file `gone.txt` (python_env.yaml:3)"),
        ("- a\n", "must be a mapping, not a list"),
        ("python: [\n", "is not valid YAML"),
    ],
)
def test_a_broken_environment_stops_only_who_wants_it(tmp_path: Path, text: str, said: str) -> None:
    found = project(tmp_path, {"MLproject": "python_env: python_env.yaml\n" + MAIN, "python_env.yaml": text})
    assert [item.severity for item in found.findings] == ["error"]
    assert environment_for(found, tmp_path, "local") == SystemSpec(because="--env-manager local")
    with pytest.raises(SpecError) as caught:
        environment_for(found, tmp_path, None)
    assert said in caught.value.message


CONDA: dict[str, str | bytes] = {"MLproject": "conda_env: c.yaml\n" + MAIN, "c.yaml": "dependencies: [a]"}
DOCKER: dict[str, str | bytes] = {"MLproject": "name: x\ndocker_env: {image: a}\n" + MAIN}
PYTHON: dict[str, str | bytes] = {"MLproject": "python_env: {python: '3.9'}\n" + MAIN}
CONDA_OF_PYPI: dict[str, str | bytes] = {**CONDA, "c.yaml": "dependencies: [python=3.8, numpy]\n"}
NONE: dict[str, str | bytes] = {"MLproject": MAIN}


@pytest.mark.parametrize(
    ("files", "manager", "kind"),
    [
        (CONDA, None, CondaSpec),
        (CONDA, "conda", CondaSpec),
        (CONDA, "local", SystemSpec),
        (CONDA, "virtualenv", EnvironmentFailed),
        (CONDA, "uv", EnvironmentFailed),
        (CONDA_OF_PYPI, "virtualenv", VirtualenvSpec),
        (CONDA_OF_PYPI, "uv", VirtualenvSpec),
        (CONDA_OF_PYPI, "docker", UsageError),
        (DOCKER, None, DockerSpec),
        (DOCKER, "docker", DockerSpec),
        (DOCKER, "local", SystemSpec),
        (PYTHON, None, VirtualenvSpec),
        (PYTHON, "virtualenv", VirtualenvSpec),
        (PYTHON, "uv", VirtualenvSpec),
        (PYTHON, "local", SystemSpec),
        (PYTHON, "conda", UsageError),
        (PYTHON, "docker", UsageError),
        (NONE, None, SystemSpec),
        (NONE, "uv", VirtualenvSpec),
        (NONE, "conda", UsageError),
        (NONE, "poetry", UsageError),
    ],
)
def test_the_manager_and_the_declared_environment_together_decide(
    tmp_path: Path, files: dict[str, str | bytes], manager: str | None, kind: type[object]
) -> None:
    found = project(tmp_path, files)
    if issubclass(kind, Exception):
        with pytest.raises(kind):
            environment_for(found, tmp_path, manager)
    else:
        assert isinstance(environment_for(found, tmp_path, manager), kind)


@pytest.mark.parametrize(
    ("extra", "python", "files"),
    [
        ({}, ">=3.9", ()),
        ({".python-version": "3.11\n"}, "3.11", (".python-version",)),
        ({"python_env.yaml": "python: '3.10'\n"}, "3.10", ("python_env.yaml",)),
    ],
)
def test_a_uv_lock_wins_where_uv_is_asked_for(
    tmp_path: Path, extra: dict[str, str | bytes], python: str, files: tuple[str, ...]
) -> None:
    found = project(
        tmp_path,
        {"uv.lock": "version = 1\n", "pyproject.toml": '[project]\nrequires-python = ">=3.9"\n', **extra},
    )
    spec = environment_for(found, tmp_path, "uv")
    assert isinstance(spec, VirtualenvSpec)
    assert (spec.uv_lock, spec.python, spec.dependencies) == ("uv.lock", python, ())
    assert spec.files == ("uv.lock", "pyproject.toml", *files)
