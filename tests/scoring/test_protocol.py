"""The protocol as MLflow's own server speaks it, side by side: status, body and kind of every answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import urllib3

from tests.mlflow_clients import ENDS, ClientPython
from tests.scoring.conftest import Models
from tests.scoring.servers import mlflow_serving, program, serving

JSON, CSV = "application/json", "text/csv"

SPLIT = {"columns": ["a", "b", "c"], "data": [[1.5, 2, "u"], [0.5, 1, "v"]]}
RECORDS = [{"a": 1.5, "b": 2, "c": "u"}, {"c": "v", "b": 1, "a": 0.5, "further": True}]


def posted(content: object, kind: str = JSON) -> tuple[str, str, bytes, str | None]:
    body = content if isinstance(content, str) else json.dumps(content)
    return "POST", "/invocations", body.encode(), kind


CONVERSATION = (
    ("GET", "/ping", b"", None),
    ("GET", "/health", b"", None),
    ("GET", "/version", b"", None),
    posted({"dataframe_split": SPLIT}),
    posted({"dataframe_split": SPLIT}, f"{JSON}; charset=UTF-8"),
    posted({"dataframe_records": RECORDS}),
    posted({"instances": RECORDS[:1]}),
    posted({"instances": [[1.5, 2, "u"]]}),
    posted({"inputs": {"a": [1.5], "b": [2], "c": ["u"]}}),
    posted({"inputs": RECORDS[:1]}),
    posted("a,b,c\n1.5,2,u\n0.5,1,v\n", CSV),
    posted("a,b\n1,2\n", CSV),
    posted("", CSV),
    posted('a,b,c\n"1.5,2,u\n', CSV),
    posted({"dataframe_split": {**SPLIT, "columns": ["a", "b"]}}),
    posted({"dataframe_split": {"columns": ["a", "b"], "data": [[1.5, 2]]}}),
    posted({"dataframe_split": {"columns": ["a", "b", "c"], "data": [["word", 2, "u"]]}}),
    posted({"dataframe_split": {"columns": ["a", "b", "c"], "data": [[1.5, 2.5, "u"]]}}),
    posted({"dataframe_split": {"columns": ["a", "b", "c"], "data": [[1.5, 2, 3]]}}),
    posted({"dataframe_split": {"columns": ["a", "b", "c"], "data": [[1.5, 2, "never seen"]]}}),
    posted({"dataframe_split": {"columns": ["a", "b", "c"], "data": []}}),
    posted({"dataframe_split": "text"}),
    posted({"dataframe_records": "text"}),
    posted({"dataframe_records": RECORDS, "inputs": RECORDS}),
    posted({"rows": RECORDS}),
    posted({}),
    posted([1, 2]),
    posted("null"),
    posted("{"),
    posted(""),
    posted({"dataframe_split": SPLIT}, "application/xml"),
    posted({"dataframe_split": SPLIT}, f"{JSON}; charset=latin-1"),
    posted({"dataframe_split": SPLIT}, f"{JSON}; form=odd"),
    ("POST", "/invocations", b"\xff\xfe", CSV),
)

ROUTES = (("GET", "/nowhere", b"", None), ("GET", "/invocations", b"", None), ("POST", "/ping", b"", None))
"""Of these the body is that of the web framework, which is another one in MLflow 1."""


@pytest.mark.parametrize("line", ENDS)
def test_every_answer_is_the_one_that_mlflow_gives(
    line: str, client_python: ClientPython, models: Models, tmp_path: Path
) -> None:
    python, model = client_python(line), models(line)
    with (
        serving(program(python, model), tmp_path / "ours.log") as ours,
        mlflow_serving(python, model, tmp_path / "theirs.log") as theirs,
        urllib3.PoolManager(retries=False) as pool,
    ):
        for number, (method, path, body, kind) in enumerate((*CONVERSATION, *ROUTES)):
            headers = {} if kind is None else {"content-type": kind}
            told, expected = (
                pool.request(method, f"{base}{path}", body=body or None, headers=headers)
                for base in (ours, theirs)
            )
            asked = (number, method, path, body, kind)
            assert told.status == expected.status, (asked, told.data, expected.data)
            if (method, path, body, kind) in CONVERSATION or line == "3":
                assert told.data == expected.data, asked
                assert told.headers["content-type"] == expected.headers["content-type"], asked
