"""Clients that keep one connection for several processes are given a new one for each request."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest

from mlproj.server.endpoint import Endpoint


@pytest.mark.parametrize(
    ("agent", "closed"),
    [
        ("mlflow-python-client/1.30.0", True),
        ("mlflow-python-client/2.3.0", True),
        ("mlflow-python-client/2.4.0", False),
        ("mlflow-python-client/2.22.0", False),
        ("mlflow-python-client/3.17.2", False),
        ("curl/8", False),
    ],
)
def test_a_connection_that_a_fork_would_share_is_closed(endpoint: Endpoint, agent: str, closed: bool) -> None:
    place = urlsplit(endpoint.uri)
    assert place.hostname is not None
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    for path in ("/version", "/api/2.0/mlflow/runs/get?run_id=x"):
        connection.request("GET", f"{place.path}{path}", headers={"User-Agent": agent})
        response = connection.getresponse()
        response.read()
        assert (response.getheader("connection") == "close") is closed
        assert (connection.sock is None) is closed
    connection.close()
