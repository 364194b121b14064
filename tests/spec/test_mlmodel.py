"""Descriptions of models as MLflow's versions write them, read without MLflow; each error with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlproj.errors import SpecError, UsageError
from mlproj.model.mlmodel import MlModel
from mlproj.model.registry import Stage
from mlproj.spec.mlmodel import read_model
from mlproj.spec.model_uri import ModelUri, read_model_uri

EARLY = """\
artifact_path: model
flavors:
  python_function:
    env: conda.yaml
    loader_module: mlflow.sklearn
    model_path: model.pkl
    python_version: 3.7.10
  sklearn:
    code: null
    pickled_model: model.pkl
    serialization_format: cloudpickle
    sklearn_version: 0.24.2
mlflow_version: 1.23.1
model_uuid: 0f3b
run_id: 871d256c9098499da9546b8b95a4e86b
signature:
  inputs: '[{"name": "fixed acidity", "type": "double"}, {"name": "day", "type": "datetime"}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]'
utc_time_created: '2022-02-02 10:00:00.000001'
"""

NESTED = [
    {"type": "tensor", "tensor-spec": {"dtype": "uint8", "shape": [-1, 28, 28]}, "name": "image"},
    {"type": "array", "items": {"type": "string"}, "name": "words", "required": False},
    {
        "type": "map",
        "values": {"type": "array", "items": {"type": "long"}},
        "name": "counts",
        "required": True,
    },
    {
        "type": "object",
        "properties": {
            "role": {"type": "string", "required": True},
            "age": {"type": "integer", "required": False},
        },
        "name": "message",
        "required": True,
    },
    {"type": "any", "name": "rest", "required": False},
]
PARAMS = [
    {"name": "temperature", "type": "float", "default": 0.5, "shape": None},
    {"name": "stop", "type": "string", "default": ["a"], "shape": [-1]},
]


def read(folder: Path, text: str, *files: str) -> MlModel:
    (folder / "MLmodel").write_text(text)
    for name in files:
        (folder / name).write_text("")
    return read_model(folder)


def test_an_early_description_is_read(tmp_path: Path) -> None:
    model = read(tmp_path, EARLY, "conda.yaml", "requirements.txt")
    assert [flavor.name for flavor in model.flavors] == ["python_function", "sklearn"]
    assert (model.run_id, model.path, model.mlflow, model.file) == (
        "871d256c9098499da9546b8b95a4e86b",
        "model",
        "1.23.1",
        "model.pkl",
    )
    assert model.environment == ("conda.yaml", "requirements.txt")
    assert list(map(str, model.signature.inputs or ())) == ["fixed acidity: double", "day: datetime"]
    assert list(map(str, model.signature.outputs or ())) == ["tensor(float64, (-1,))"]
    assert model.signature.params is None


def test_types_of_every_kind_are_told(tmp_path: Path) -> None:
    signature = (
        f"signature:\n  inputs: '{json.dumps(NESTED)}'\n  outputs: null\n  params: '{json.dumps(PARAMS)}'\n"
    )
    model = read(tmp_path, f"flavors: {{python_function: {{}}}}\nmodel_size_bytes: 7\n{signature}")
    assert list(map(str, model.signature.inputs or ())) == [
        "image: tensor(uint8, (-1, 28, 28))",
        "words: array(string) (optional)",
        "counts: map(array(long))",
        "message: object(role: string, age: integer (optional))",
        "rest: any (optional)",
    ]
    params = model.signature.params or ()
    assert [(str(each), each.default) for each in params] == [
        ("temperature: float", 0.5),
        ("stop: array(string)", ["a"]),
    ]
    assert model.size == 7 and model.signature.outputs is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "must be a mapping"),
        ("- a\n", "must be a mapping"),
        ("run_id: x\n", "`flavors` must be a mapping"),
        ("run_id: x\nflavors: 3\n", "(MLmodel:2)"),
        ("flavors: {a: {}}\nsignature: [1]\n", "(MLmodel:2)"),
        ("flavors: {a: {}}\nsignature:\n  inputs: '{'\n", "(MLmodel:3)"),
        ('flavors: {a: {}}\nsignature:\n  inputs: \'[{"name": "x"}]\'\n', "(MLmodel:3)"),
        ("flavors: {a: {}}\nsignature:\n  inputs: '[1]'\n", "is no list of columns"),
        ("flavors: {a: {}}\nrun_id: [1]\n", "`run_id` must be a text"),
        ("flavors: {", "not valid YAML"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as error:
        read(tmp_path, text)
    assert told in error.value.message


def test_types_that_are_nested_without_end_are_refused(tmp_path: Path) -> None:
    nested = '{"type": "array", "items": ' * 500 + '{"type": "long"}' + "}" * 500
    with pytest.raises(SpecError, match="is no list of columns"):
        read(tmp_path, f"flavors: {{a: {{}}}}\nsignature: {{inputs: '[{nested}]'}}\n")


@pytest.mark.parametrize(
    ("uri", "meant"),
    [
        ("models:/wine/3", ModelUri(name="wine", version=3)),
        ("models:/wine/latest", ModelUri(name="wine")),
        ("models:/wine", ModelUri(name="wine")),
        ("models:/wine@champion", ModelUri(name="wine", alias="champion")),
        ("models:/wine/staging", ModelUri(name="wine", stage=Stage.STAGING)),
        ("models:/m-0123", ModelUri(model_id="m-0123")),
    ],
)
def test_addresses_of_models(uri: str, meant: ModelUri) -> None:
    assert read_model_uri(uri) == meant


@pytest.mark.parametrize(
    "uri", ["models:", "models:/", "models:/a/b/c", "models:/wine/sideways", "models:/@x"]
)
def test_addresses_that_name_no_model(uri: str) -> None:
    with pytest.raises(UsageError):
        read_model_uri(uri)
