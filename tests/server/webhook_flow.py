"""What MLflow's users do with webhooks, by its client; it asserts MLflow's behaviour, whoever serves it.

A program of its own, run by the client's Python with `MLFLOW_TRACKING_URI` set, and with nothing of ours. It
is told an address to send to, makes a webhook of every event there, and changes the registry.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

# Where this file is checked there is neither.
mlflow: Any = import_module("mlflow")
webhook: Any = import_module("mlflow.entities.webhook")
MlflowException: Any = import_module("mlflow.exceptions").MlflowException

EVENTS = [
    f"{entity.value}.{action.value}"
    for entity, actions in webhook.VALID_ENTITY_ACTIONS.items()
    for action in sorted(actions)
]


def refused(code: str, act: Any, *given: object, **named: object) -> None:
    try:
        act(*given, **named)
    except MlflowException as error:
        assert error.error_code == code, error
    else:
        raise AssertionError(f"{act} was not refused")


def main(uri: str, secret: str) -> None:
    client = mlflow.MlflowClient()
    made = client.create_webhook("every.event", uri, EVENTS, description="all of it", secret=secret)
    assert (made.name, made.url, made.description) == ("every.event", uri, "all of it")
    assert made.status == "ACTIVE" and made.secret is None and made.creation_timestamp > 0
    assert {str(event) for event in made.events} == set(EVENTS)
    other = client.create_webhook("other", uri, ["prompt.created"], status="DISABLED")
    assert [each.webhook_id for each in client.list_webhooks()] == [other.webhook_id, made.webhook_id]
    first = client.list_webhooks(max_results=1)
    rest = client.list_webhooks(max_results=1, page_token=first.token)
    assert [first[0].webhook_id, rest[0].webhook_id] == [other.webhook_id, made.webhook_id] and not rest.token
    changed = client.update_webhook(other.webhook_id, name="another", events=["model_version.created"])
    assert (changed.name, str(changed.events[0]), changed.status) == (
        "another",
        "model_version.created",
        "DISABLED",
    )
    assert client.get_webhook(other.webhook_id).name == "another"
    result = client.test_webhook(other.webhook_id)
    assert (result.success, result.response_status, result.response_body) == (True, 200, "good")
    assert client.test_webhook(made.webhook_id, "prompt_alias.deleted").success
    client.delete_webhook(other.webhook_id)
    refused("RESOURCE_DOES_NOT_EXIST", client.get_webhook, other.webhook_id)
    for name, address in (("-", uri), ("a" * 64, uri), ("w", "ftp://example.org"), ("w", "https://")):
        refused("INVALID_PARAMETER_VALUE", client.create_webhook, name, address, ["prompt.created"])
    change(client)


def change(client: Any) -> None:
    """What the webhook is told of."""
    client.create_registered_model("wine", tags={"a": "b"})
    client.create_registered_model("beer", description="of hops")
    client.create_model_version("wine", "s3://bucket/wine", tags={"t": "1"}, description="the first")
    client.set_model_version_tag("wine", "1", "k", "v")
    client.delete_model_version_tag("wine", "1", "k")
    client.set_registered_model_alias("wine", "champion", "1")
    client.delete_registered_model_alias("wine", "champion")
    client.set_registered_model_tag("wine", "k", "v")
    mlflow.genai.register_prompt("ask", "Hello {{name}}", commit_message="first", tags={"u": "v"})
    mlflow.genai.set_prompt_alias("ask", "best", 1)
    mlflow.genai.delete_prompt_alias("ask", "best")
    client.set_prompt_tag("ask", "a", "b")
    client.delete_prompt_tag("ask", "a")
    client.set_prompt_version_tag("ask", 1, "c", "d")
    client.delete_prompt_version_tag("ask", 1, "c")


if __name__ == "__main__":
    main(*sys.argv[1:])
