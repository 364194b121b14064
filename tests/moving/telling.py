"""All that a client is told by the server or store at a URI, as JSON that two of them can be compared by.

`telling.py URI FOLDER` writes it to the standard output; files are brought into FOLDER to be digested.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from importlib import import_module
from typing import Any

# Where this file is checked there is none.
mlflow: Any = import_module("mlflow")
MlflowClient: Any = import_module("mlflow.tracking").MlflowClient

MAJOR = int(mlflow.__version__.split(".")[0])
ALL = 3
PLACE = re.compile(r"^.*?/?(models/m-[0-9a-f]{32}|[0-9a-f]{32})/artifacts")


def main() -> Any:
    mlflow.set_tracking_uri(sys.argv[1])
    client = MlflowClient()
    experiments = pages(lambda token: client.search_experiments(view_type=ALL, page_token=token))
    names = {each.experiment_id: each.name for each in experiments}
    told = {
        "experiments": {each.name: experiment(each) for each in experiments},
        "runs": {each.info.run_id: run(client, each, names) for each in runs(client, list(names))},
    }
    if MAJOR >= 2 or "://" in sys.argv[1]:
        told["registered"] = registered(client)
    if MAJOR >= 3:
        told["models"] = models(client, names)
    if MAJOR >= 2:
        told["traces"] = traces(client, names)
    sys.stdout.write(json.dumps(told, sort_keys=True))


def pages(ask: Any) -> Any:
    found, token = [], None
    while True:
        page = ask(token)
        found += list(page)
        token = page.token
        if not token:
            return found


def experiment(each: Any) -> Any:
    return {
        "tags": dict(each.tags),
        "stage": each.lifecycle_stage,
        "created": each.creation_time,
        "updated": each.last_update_time,
    }


def runs(client: Any, experiments: Any) -> Any:
    return pages(
        lambda token: client.search_runs(experiments, run_view_type=ALL, max_results=500, page_token=token)
    )


def run(client: Any, each: Any, names: Any) -> Any:
    info, data = each.info, each.data
    # A search leaves out the models that a run read.
    whole = client.get_run(info.run_id)
    read, made = getattr(whole, "inputs", None), getattr(whole, "outputs", None)
    return {
        "name": info.run_name,
        "experiment": names[info.experiment_id],
        "user": info.user_id,
        "status": info.status,
        "start": info.start_time,
        "end": info.end_time,
        "stage": info.lifecycle_stage,
        "params": data.params,
        "tags": data.tags,
        "latest": {key: repr(value) for key, value in data.metrics.items()},
        "history": {key: points(client.get_metric_history(info.run_id, key)) for key in data.metrics},
        "files": files(client, info.run_id, ""),
        "datasets": [
            [item.dataset.to_dictionary(), {tag.key: tag.value for tag in item.tags}]
            for item in (read.dataset_inputs if read else ())
        ],
        "read": sorted(model.model_id for model in getattr(read, "model_inputs", None) or ()),
        "made": sorted([model.model_id, model.step] for model in getattr(made, "model_outputs", None) or ()),
    }


def points(found: Any) -> Any:
    return sorted([point.step, point.timestamp, repr(float(point.value))] for point in found)


def files(client: Any, run_id: Any, path: Any) -> Any:
    found = {}
    for item in client.list_artifacts(run_id, path):
        if item.is_dir:
            found.update(files(client, run_id, item.path))
        else:
            folder = os.path.join(sys.argv[2], run_id)
            os.makedirs(folder, exist_ok=True)
            found[item.path] = digest(client.download_artifacts(run_id, item.path, folder))
    return found


def digest(path: Any) -> Any:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def registered(client: Any) -> Any:
    found = {}
    for each in pages(lambda token: client.search_registered_models(page_token=token)):
        quote = '"' if "'" in each.name else "'"
        versions = client.search_model_versions(f"name={quote}{each.name}{quote}")
        found[each.name] = {
            "description": each.description or "",
            "tags": dict(each.tags),
            "created": each.creation_timestamp,
            "updated": each.last_updated_timestamp,
            "aliases": {key: int(value) for key, value in (getattr(each, "aliases", None) or {}).items()},
            "versions": {str(version.version): one_version(version) for version in versions},
        }
    return found


def one_version(version: Any) -> Any:
    return {
        "description": version.description or "",
        "tags": dict(version.tags),
        "stage": version.current_stage,
        "run": version.run_id,
        "created": version.creation_timestamp,
        "updated": version.last_updated_timestamp,
        "status": version.status,
        "source": PLACE.sub(r"\1", version.source),
    }


def models(client: Any, names: Any) -> Any:
    found = {}
    for each in client.search_logged_models(experiment_ids=list(names)):
        metrics = [
            [m.key, repr(m.value), m.step, m.timestamp, m.run_id, m.dataset_name] for m in each.metrics or ()
        ]
        found[each.model_id] = {
            "name": each.name,
            "experiment": names[each.experiment_id],
            "status": str(each.status),
            "type": each.model_type,
            "run": each.source_run_id,
            "created": each.creation_timestamp,
            "updated": each.last_updated_timestamp,
            "params": each.params,
            "tags": each.tags,
            "metrics": sorted(metrics),
        }
    return found


def traces(client: Any, names: Any) -> Any:
    found = {}
    for each in client.search_traces(experiment_ids=list(names)):
        told = each.to_dict()
        info = told["info"]
        info.pop("trace_location", None)
        info.pop("experiment_id", None)
        tags = {key: value for key, value in dict(each.info.tags).items() if key != "mlflow.artifactLocation"}
        info["tags"] = tags
        if "assessments" in info:
            info["assessments"] = sorted(info["assessments"], key=lambda item: item["assessment_name"])
            for assessment in info["assessments"]:
                # Clients do not take it from servers.
                assessment.pop("valid", None)
        spans = sorted(
            told["data"]["spans"], key=lambda span: str(span.get("span_id") or span.get("context"))
        )
        found[info.get("trace_id") or info.get("request_id")] = {"info": info, "spans": spans}
    return found


main()
