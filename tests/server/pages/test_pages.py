"""What pages answer: their headers, their forms, and how they fail."""

from __future__ import annotations

import html
import os
import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlencode

import pytest
from msgspec.structs import replace

from mlproj import server_wiring
from mlproj.model.tracking import Batch, Lifecycle, Metric, NewRun, RunStatus
from mlproj.server.access import Receive, Scope, Send
from mlproj.server.app import create_app
from mlproj.server.pages.adding import PAGES, add
from mlproj.server.pages.verdicts import VERDICT
from mlproj.server.pages.visit import Verbs
from mlproj.services.reproduce import VERDICT as kept
from mlproj.store.folder import FolderStore
from mlproj.tracking_ports import Tracking
from tests.server.calling import Caller, calling, served
from tests.server.conftest import files_of
from tests.server.pages.scenery import Scene
from tests.store.runs import begun, ended

FORM = "application/x-www-form-urlencoded"
HTML = {"Accept": "text/html"}


def opened(visitor: Caller, path: str) -> tuple[str, dict[str, str]]:
    """The token in a page's forms, and the headers by which a browser sends the cookie."""
    status, content, headers = visitor.whole("GET", path, headers=HTML)
    assert status == 200
    token = re.search(rb'name="token" value="([^"]+)"', content)
    assert token is not None
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
    return token[1].decode(), {"Cookie": cookie.partition(";")[0], "Content-Type": FORM}


def post(
    visitor: Caller, path: str, fields: Mapping[str, str], headers: Mapping[str, str]
) -> tuple[int, str | None]:
    """The status, and where the browser is led to."""
    status, _, answered = visitor.whole("POST", path, urlencode(fields), headers)
    return status, answered["location"]


def test_every_page_forbids_scripts_frames_and_other_hosts(scenery: Scene, visitor: Caller) -> None:
    for path in ("/", "/runs", f"/runs/{scenery.logged[0]}", "/models", "/nothing", "/static/x/page.js"):
        _, _, headers = visitor.whole("GET", path, headers=HTML)
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self' 'sha256-")
        assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"


def test_a_form_changes_something_and_leads_back(scenery: Scene, visitor: Caller, tracking: Tracking) -> None:
    run_id = scenery.logged[0]
    token, headers = opened(visitor, f"/runs/{run_id}")
    fields = {
        "token": token,
        "back": f"/runs/{run_id}#tags",
        "run_id": run_id,
        "key": "team",
        "value": "a\r\nb",
    }
    assert post(visitor, "/change/runs/set-tag", fields, headers) == (303, f"/runs/{run_id}#tags")
    assert dict(tracking.runs.get(run_id).tags)["team"] == "a\nb"


@pytest.mark.parametrize(
    "change",
    [
        {"token": ""},
        {"token": "A" * 43},
        {"cookie": ""},
        {"cookie": "mlproj-form=" + "A" * 43},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Content-Type": "application/json"},
        {"Content-Type": "text/plain"},
    ],
)
def test_a_form_from_elsewhere_changes_nothing(
    scenery: Scene, visitor: Caller, tracking: Tracking, change: dict[str, str]
) -> None:
    run_id = scenery.logged[0]
    token, headers = opened(visitor, f"/runs/{run_id}")
    fields = {"token": change.get("token", token), "back": "/", "run_id": run_id}
    changed = {name: value for name, value in change.items() if name[0].isupper()}
    cookie = {"Cookie": change["cookie"]} if "cookie" in change else {}
    sent = {**headers, **changed, **cookie}
    status, content, _ = visitor.whole("POST", "/change/runs/delete", urlencode(fields), sent)
    assert status in (400, 403) and b"give you the right" not in content
    assert tracking.runs.get(run_id).lifecycle is Lifecycle.ACTIVE


def test_whatever_changes_something_wants_the_token_of_a_page(scenery: Scene, visitor: Caller) -> None:
    _, headers = opened(visitor, "/")
    changes = [page.path for page in PAGES if page.method != "GET"]
    assert len(changes) > 20
    for path in changes:
        assert post(visitor, path, {"name": "elastic", "run_id": scenery.logged[0]}, headers) == (403, None)


@pytest.mark.parametrize(
    "back",
    [
        *("https://evil.example/", "//evil.example/", "/\\evil.example", "evil"),
        *("/\t/evil.example", "/\n/evil.example", "/a\r\nSet-Cookie: a=b", "/\0"),
    ],
)
def test_no_form_leads_to_another_site(scenery: Scene, visitor: Caller, back: str) -> None:
    token, headers = opened(visitor, "/")
    fields = {"token": token, "back": back, "name": "another"}
    assert post(visitor, "/change/experiments/create", fields, headers) == (400, None)


def test_forms_have_the_limits_of_the_api(scenery: Scene, visitor: Caller) -> None:
    token, headers = opened(visitor, "/models")
    fields = {"token": token, "back": "/models", "name": "a/b"}
    status, content, _ = visitor.whole("POST", "/change/registered-models/create", urlencode(fields), headers)
    assert status == 400
    assert b"Names cannot contain" in content


def test_people_see_a_page_where_nothing_is_and_programs_an_answer(visitor: Caller) -> None:
    status, content, headers = visitor.whole("GET", "/no/such/page", headers=HTML)
    assert (status, headers.get_content_type()) == (404, "text/html")
    assert b"Nothing is here" in content
    status, _, headers = visitor.whole("GET", "/no/such/page")
    assert (status, headers.get_content_type()) == (404, "application/json")
    status, _, headers = visitor.whole("GET", "/api/2.0/mlflow/nothing", headers=HTML)
    assert (status, headers.get_content_type()) == (404, "application/json")
    status, content, _ = visitor.whole("GET", "/runs/" + "0" * 32, headers=HTML)
    assert status == 404 and b'role="alert"' in content


def test_a_version_is_found_by_the_name_that_commands_have_for_it(scenery: Scene, visitor: Caller) -> None:
    status, _, headers = visitor.whole("GET", "/models/elastic/1", headers=HTML)
    assert (status, headers["location"]) == (303, "/models/elastic/versions/1")
    assert visitor.raw("GET", "/models/elastic/x")[0] in (400, 404)


def test_a_value_that_only_one_run_has_differs_whatever_it_is(
    scenery: Scene, visitor: Caller, tracking: Tracking
) -> None:
    one, two = scenery.logged[:2]
    tracking.runs.log(one, Batch(params=(("limit", "None"),)))
    _, content, _ = visitor.whole("GET", f"/compare?run={one}&run={two}&only=1", headers=HTML)
    assert b">limit" in content


@pytest.mark.parametrize("of", ["/etc/passwd", "data.csv", "file:///etc/passwd", "~", "last", ""])
def test_lineage_looks_at_nothing_on_the_disk(scenery: Scene, visitor: Caller, of: str) -> None:
    assert visitor.raw("GET", f"/lineage?{urlencode({'of': of})}")[0] == 400


def test_empty_places_say_what_to_do(store: FolderStore, visitor: Caller) -> None:
    for path, words in (
        ("/?state=deleted", b"Show all that are active"),
        ("/runs", b"mlproj run FOLDER"),
        ("/models", b"mlflow.register_model"),
        ("/?name=nothing", b"Show all that are active"),
    ):
        assert words in visitor.raw("GET", path)[1]


def test_of_a_run_that_began_elsewhere_nobody_knows_what_it_printed(
    store: FolderStore, visitor: Caller, tracking: Tracking
) -> None:
    quiet = begun(store.blobs)
    with store.begin(quiet):
        done = ended(store.blobs, quiet)
        assert done.outcome is not None
        store.seal(replace(done, outcome=replace(done.outcome, logs=())))
    far = tracking.runs.create(NewRun(experiment_id="0", name="far", user="ada", started=1))
    tracking.runs.update(far.run_id, status=RunStatus.FINISHED, ended=2)
    said = {
        run_id: visitor.whole("GET", f"/runs/{run_id}", headers=HTML)[1]
        for run_id in (quiet.run_id, far.run_id)
    }
    assert b"It printed nothing." in said[quiet.run_id]
    assert b"It was not started by mlproj, so what it printed is not known." in said[far.run_id]


def test_files_of_the_pages_are_kept_by_browsers(visitor: Caller) -> None:
    _, content, _ = visitor.whole("GET", "/")
    for address in re.findall(rb'"(/static/[^"]+)"', content):
        status, plain, headers = visitor.whole("GET", address.decode())
        assert status == 200 and "immutable" in headers["cache-control"]
        _, packed, headers = visitor.whole("GET", address.decode(), headers={"Accept-Encoding": "gzip"})
        assert headers["content-encoding"] == "gzip" and len(packed) < len(plain)
    assert visitor.raw("GET", "/static/x/plotly-LICENSE.txt")[0] == 404


def test_pages_turn(visitor: Caller, tracking: Tracking) -> None:
    """All runs are come to by following the pages, each once, as they are sorted."""
    for number in range(60):
        run = tracking.runs.create(
            NewRun(experiment_id="0", name=f"run-{number}", user="", started=number + 1)
        )
        point = Metric(key="rmse", value=(number * 7) % 60, timestamp=1)
        tracking.runs.log(run.run_id, Batch(metrics=(point,)))
    path: str | None = "/experiments/0?limit=25&sort=metrics.rmse"
    found: list[int] = []
    while path is not None:
        _, content = visitor.raw("GET", path)
        found += map(int, re.findall(rb">run-(\d+)<", content))
        following = re.search(rb'rel="next" href="([^"]+)"', content)
        path = None if following is None else html.unescape(following[1].decode())
    assert found == sorted(range(60), key=lambda number: (number * 7) % 60)


def test_what_came_of_doing_a_run_again_stands_on_both_pages(
    scenery: Scene, store: FolderStore, visitor: Caller
) -> None:
    original = scenery.recorded[0]
    again = replace(begun(store.blobs, name="calm-heron-again"), reproduces=original)
    with store.begin(again):
        store.seal(ended(store.blobs, again))
    _, content = visitor.raw("GET", f"/runs/{original}")
    assert b"calm-heron-again</a> did this run again" in content and b"no verdict" in content
    store.amend(again.run_id, VERDICT, {"of": original, "verdict": "equivalent"})
    for run_id, words in ((original, b"did this run again"), (again.run_id, b"This run did")):
        _, content = visitor.raw("GET", f"/runs/{run_id}")
        assert words in content and b"<strong>equivalent</strong>" in content


def test_of_a_long_log_the_end_is_shown_and_all_of_it_sent(store: FolderStore, visitor: Caller) -> None:
    lines = b"".join(b"line %d\n" % number for number in range(20_000))
    run = begun(store.blobs)
    with store.begin(run):
        store.seal(ended(store.blobs, run, stdout=lines))
    _, content = visitor.raw("GET", f"/runs/{run.run_id}")
    assert b"line 19999\n" in content and b"line 0\n" not in content and b"Only the end" in content
    assert visitor.raw("GET", f"/runs/{run.run_id}/log/stdout/whole")[1] == lines
    told = visitor.done("GET", f"/runs/{run.run_id}/log/stdout", **{"from": len(lines) - 6})
    assert told == {"text": "19999\n", "next": len(lines), "over": True}


def test_the_verdict_is_kept_where_it_is_looked_for() -> None:
    assert kept == VERDICT


def test_behind_a_proxy_everything_leads_to_where_the_server_is(
    scenery: Scene, store: FolderStore, tracking: Tracking
) -> None:
    app = create_app(tracking, files_of(store), store=store)
    server_wiring.add_pages(app, os.environ)

    async def proxied(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "mlproj.root": "/team/mlproj"}, receive, send)

    with served(proxied) as uri, calling(uri) as visitor:
        for path in ("/", "/runs", f"/runs/{scenery.logged[0]}", "/models/elastic"):
            _, content = visitor.raw("GET", path)
            led = re.findall(rb'(?:href|src|action)="(/[^"]*)"', content)
            assert led and all(each.startswith(b"/team/mlproj/") for each in led)
        token, headers = opened(visitor, "/")
        fields = {"token": token, "back": "/", "name": "another"}
        assert post(visitor, "/change/experiments/create", fields, headers) == (303, "/team/mlproj/")


def test_a_bug_is_told_of_and_the_person_sees_a_page(
    scenery: Scene, store: FolderStore, tracking: Tracking
) -> None:
    bugs: list[Exception] = []
    app = create_app(tracking, files_of(store), store=store, unexpected=bugs.append)

    def broken(*asked: object) -> NoReturn:
        raise ZeroDivisionError

    add(app, Verbs(lineage=broken, difference=broken))
    with served(app) as uri, calling(uri) as visitor:
        status, content, headers = visitor.whole("GET", f"/lineage?of=runs:/{scenery.recorded[0]}")
    assert (status, headers.get_content_type()) == (500, "text/html")
    assert b"ZeroDivisionError" in content
    assert [type(bug) for bug in bugs] == [ZeroDivisionError]


def test_what_was_changed_since_the_commit_is_shown_beside_a_run_of_it(
    store: FolderStore, visitor: Caller
) -> None:
    runs = {}
    for name, line in (("clean", b"one\n"), ("changed", b"two\n")):
        run = begun(store.blobs, name=name, source={b"train.py": line})
        assert run.job is not None
        state = replace(run.job.source, dirty=name == "changed", changes=("train.py",))
        run = replace(run, job=replace(run.job, source=state))
        with store.begin(run):
            store.seal(ended(store.blobs, run))
        runs[name] = run.run_id
    assert b"line by line" not in visitor.raw("GET", f"/runs/{runs['clean']}")[1]
    _, content = visitor.raw("GET", f"/runs/{runs['changed']}")
    link = re.search(rb'href="([^"]+)">What was changed, line by line', content)
    assert link is not None
    _, content = visitor.raw("GET", html.unescape(link[1].decode()).partition("#")[0])
    assert b">-one\n</span>" in content and b">+two\n</span>" in content


def test_a_run_whose_record_was_altered_is_shown_with_that(
    scenery: Scene, visitor: Caller, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "store" / "store.db") as connection:
        altered = "UPDATE entries SET payload = CAST(payload || ' ' AS BLOB) WHERE run_id = ?"
        connection.execute(altered, (scenery.recorded[0],))
    status, content = visitor.raw("GET", f"/runs/{scenery.recorded[0]}")
    assert status == 200 and b"cannot be trusted" in content and b"mlproj verify" in content
    assert b"alpha" in content
