"""Metrics files of each kind, and files that are none."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.errors import DataError
from mlproj.model.run import MetricPoint
from mlproj.services.metrics import read_metrics

Points = list[tuple[str, float | str, int]]


def read(folder: Path, name: str, text: str | bytes) -> Points:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return [(point.key, point.value, point.step) for point in read_metrics(path)]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "m.json",
            '{"rmse": 0.5, "n": 3, "ok": true, "who": "me", "no": null}',
            [("rmse", 0.5, 0), ("n", 3, 0)],
        ),
        ("m.json", '{"test": {"f1": {"macro": 1}}}', [("test.f1.macro", 1, 0)]),
        ("m.json", '{"loss": [3, 2.5]}', [("loss", 3, 0), ("loss", 2.5, 1)]),
        ("m.json", '{"loss": [3, null, 1]}', [("loss", 3, 0), ("loss", 1, 2)]),
        ("m.json", '{"matrix": [[1, 2], [3]]}', [("matrix.0", 1, 0), ("matrix.0", 2, 1), ("matrix.1", 3, 0)]),
        ("m.json", '[{"epoch": 5, "loss": 1}, {"loss": 2}]', [("loss", 1, 5), ("loss", 2, 1)]),
        ("m.json", '{"folds": [{"auc": 1}, {"auc": 2}]}', [("folds.auc", 1, 0), ("folds.auc", 2, 1)]),
        ("history.json", "[1, 2]", [("history", 1, 0), ("history", 2, 1)]),
        ("auc.json", "0.75", [("auc", 0.75, 0)]),
        (
            "m.json",
            '{"a": NaN, "b": [Infinity, -Infinity]}',
            [("a", "NaN", 0), ("b", "Infinity", 0), ("b", "-Infinity", 1)],
        ),
        ("m.json", '{"a": 1e999, "b": -1%s}' % ("0" * 400), [("a", "Infinity", 0), ("b", "-Infinity", 0)]),
        ("m.json", b"\xef\xbb\xbf" + b'{"a": 1}', [("a", 1, 0)]),
        ("m.json", "{}", []),
        ("M.JSON", '{"a": 1}', [("a", 1, 0)]),
        (
            "m.jsonl",
            '{"step": 10, "loss": 1}\n\n{"step": 20, "loss": 2}\n',
            [("loss", 1, 10), ("loss", 2, 20)],
        ),
        (
            "m.yaml",
            "rmse: 1e-3\nnested:\n  r2: .5\nflag: yes\ndate: 2020-01-01\n",
            [("rmse", 0.001, 0), ("nested.r2", 0.5, 0)],
        ),
        (
            "m.yml",
            "a: .nan\nb: [1, -.inf]\n3: 4\n",
            [("a", "NaN", 0), ("b", 1, 0), ("b", "-Infinity", 1), ("3", 4, 0)],
        ),
        ("m.yaml", "", []),
        ("m.csv", "rmse,r2\n0.5,0.9\n", [("rmse", 0.5, 0), ("r2", 0.9, 0)]),
        ("m.csv", "Epoch,loss,phase\n1,3,a\n2,2,b\n", [("loss", 3, 1), ("loss", 2, 2)]),
        (
            "m.csv",
            "loss,step,epoch\n3,100,1\n2,200,1\n",
            [("loss", 3, 100), ("loss", 2, 200), ("epoch", 1, 100), ("epoch", 1, 200)],
        ),
        ("m.csv", ",loss\n0,3\n1,2\n", [("loss", 3, 0), ("loss", 2, 1)]),
        ("m.csv", "step,loss\na,3\nb,2\n", [("loss", 3, 0), ("loss", 2, 1)]),
        ("m.csv", "loss,val\r\n3,\r\n2,nan\r\n", [("loss", 3, 0), ("loss", 2, 1), ("val", "NaN", 1)]),
        ("m.csv", 'a,b\n"1",x\n2\n', [("a", 1, 0), ("a", 2, 1)]),
        ("m.csv", "a,b\n1,1_0\n", [("a", 1, 0)]),
        ("m.csv", "a\n", []),
        ("m.csv", "", []),
        ("m.tsv", "iteration\tloss\n7\t0.1\n", [("loss", 0.1, 7)]),
    ],
)
def test_a_metrics_file_gives_its_numbers(
    tmp_path: Path, name: str, text: str | bytes, expected: Points
) -> None:
    assert read(tmp_path, name, text) == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("m.json", "{", "the metrics in `m.json` cannot be read: .*line 1"),
        ("m.json", b"\xff\xfe", "the metrics in `m.json` cannot be read: "),
        ("m.json", "[" * 5000 + "]" * 5000, "the metrics in `m.json` are nested too deeply"),
        ("m.json", "[" * 100 + "]" * 100, "the metrics in `m.json` are nested too deeply"),
        ("m.yaml", "a: [", "the metrics in `m.yaml` cannot be read: "),
        ("m.yaml", "a: !!python/object/apply:os.getcwd []", "the metrics in `m.yaml` cannot be read: "),
        ("m.yaml", "&a [*a]", "names an anchor that is not there, or not complete yet"),
        ("m.csv", "1,2\n3,4\n", "the metrics in `m.csv` cannot be read: its first line holds no names"),
        ("m.csv", 'a\n"' + "x" * 200000, "the metrics in `m.csv` cannot be read: "),
        ("m.txt", "a 1", "cannot tell from its name how to read the metrics in `m.txt`"),
    ],
)
def test_a_file_that_is_no_metrics_file_is_one_sentence(
    tmp_path: Path, name: str, text: str | bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, name, text)
    assert "\n" not in caught.value.message


def test_a_file_that_is_not_there_or_too_large_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_metrics(tmp_path / "absent.json")
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)
    with pytest.raises(DataError, match="larger than the 64 MiB"):
        read_metrics(tmp_path / "large.json")


def test_aliases_that_make_few_bytes_into_many_values_are_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    began = time.monotonic()
    with pytest.raises(DataError, match="too large with its aliases written out"):
        read(tmp_path, "bomb.yaml", "\n".join(lines))
    assert time.monotonic() - began < 20


@given(st.dictionaries(st.text(min_size=1), st.floats() | st.integers(-(2**53), 2**53), max_size=8))
def test_every_number_in_json_comes_back(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, float]
) -> None:
    path = tmp_path_factory.getbasetemp() / "property.json"
    path.write_text(json.dumps(values))
    points = {point.key: point for point in read_metrics(path)}
    assert points.keys() == values.keys()
    for key, value in values.items():
        expected = value if math.isfinite(value) else str(json.dumps(value))
        assert points[key] == MetricPoint(key=key, value=expected)


@given(st.binary(max_size=200), st.sampled_from([".json", ".jsonl", ".yaml", ".csv", ".tsv"]))
def test_no_content_whatever_gives_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"arbitrary{suffix}"
    path.write_bytes(content)
    try:
        read_metrics(path)
    except DataError as error:
        assert error.message


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("m.yaml", "[" * 1_000_000, "more than 64 levels deep|maximum nesting depth"),
        ("m.yaml", "a: !!timestamp x\nb: !!int ''\n", "`` is not a valid int in YAML"),
        ("m.yaml", "a: 0x" + "f" * 5000, "too long for a number"),
        ("m.yaml", "[" + "1," * 200_000 + "]", "too large"),
        ("m.csv", ",".join(f"c{n}" for n in range(1000)) + "\n" + "1\n" * 100_000, "more than 1000000 cells"),
        ("m.json", "[" + "1," * 1_000_000 + "1]", "more than 1000000 values"),
        (
            "m.json",
            json.dumps({"k" * 500_000: dict.fromkeys(range(50_000), 1)}),
            "a name of more",
        ),
    ],
)
def test_what_would_take_all_memory_or_the_process_with_it_is_refused(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, name, text)


def test_a_pipe_in_a_metrics_file_s_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.json")
    with pytest.raises(DataError, match=r"`m.json` cannot be read"):
        read_metrics(tmp_path / "m.json")


def test_names_that_are_no_text_are_shown_as_they_were_written(tmp_path: Path) -> None:
    assert read(tmp_path, "m.json", '{"\\ud800": 1}') == [("\\ud800", 1, 0)]
    assert read(tmp_path, "m.jsonl", '{"a\u2028b": 1}\n') == [("a\u2028b", 1, 0)]
