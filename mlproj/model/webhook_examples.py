"""What a webhook is sent to try it: for each event what MLflow sends, or what ours looks like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlproj.model.webhooks import CROSSED, RUN_ENDS, TRANSITIONED

_MODEL = {"name": "example_model"}
_PROMPT = {"name": "example_prompt"}
_VERSION = {"version": "1"}
_KEY = {"key": "example_key"}
_TAG = {**_KEY, "value": "example_value"}
_TAGS = {"tags": {"example_key": "example_value"}}
_ALIAS = {"alias": "example_alias"}
_RUN = {
    "run_id": "abcd1234abcd5678",
    "run_name": "example-run-1",
    "experiment_id": "0",
    "experiment_name": "Default",
}

EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "registered_model.created": {**_MODEL, **_TAGS, "description": "An example registered model"},
    "model_version.created": {
        **_MODEL,
        **_VERSION,
        "source": "models:/123",
        "run_id": "abcd1234abcd5678",
        **_TAGS,
        "description": "An example model version",
    },
    "model_version_tag.set": {**_MODEL, **_VERSION, **_TAG},
    "model_version_tag.deleted": {**_MODEL, **_VERSION, **_KEY},
    "model_version_alias.created": {**_MODEL, **_ALIAS, **_VERSION},
    "model_version_alias.deleted": {**_MODEL, **_ALIAS},
    "prompt.created": {**_PROMPT, **_TAGS, "description": "An example prompt"},
    "prompt_version.created": {
        **_PROMPT,
        **_VERSION,
        "template": "Hello {{name}}!",
        **_TAGS,
        "description": "An example prompt version",
    },
    "prompt_tag.set": {**_PROMPT, **_TAG},
    "prompt_tag.deleted": {**_PROMPT, **_KEY},
    "prompt_version_tag.set": {**_PROMPT, **_VERSION, **_TAG},
    "prompt_version_tag.deleted": {**_PROMPT, **_VERSION, **_KEY},
    "prompt_alias.created": {**_PROMPT, **_ALIAS, **_VERSION},
    "prompt_alias.deleted": {**_PROMPT, **_ALIAS},
    "budget_policy.exceeded": {
        "budget_policy_id": "bp-abc123",
        "budget_unit": "USD",
        "budget_amount": 100.0,
        "current_spend": 105.5,
        "duration_unit": "MONTHS",
        "duration_value": 1,
        "target_scope": "ENDPOINT",
        "workspace": "default",
        "target_value": "ep-abc123",
        "window_start": 1704067200000,
    },
    TRANSITIONED: {
        **_MODEL,
        **_VERSION,
        "from_stage": "Staging",
        "to_stage": "Production",
        "run_id": "abcd1234abcd5678",
        "who": "ada",
        "why": "it is better",
    },
    **{
        event: {
            **_RUN,
            "status": event.partition(".")[2].upper(),
            "start_time": 1704067200000,
            "end_time": 1704067260000,
        }
        for event in RUN_ENDS
    },
    CROSSED: {
        "metric": "rmse",
        "value": 0.7,
        "comparison": ">",
        "threshold": 0.5,
        **_RUN,
        "name": None,
        "version": None,
    },
}
