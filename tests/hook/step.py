"""Stands in for `mlproj run`: notes how it was called, begins a run, and ends as its entry point is named."""

import json
import os
import sys
import time
import urllib.request

_, notes, *arguments = sys.argv
told = {name: value for name, value in os.environ.items() if name.startswith(("MLFLOW_", "MLPROJ_"))}
with open(notes, "a") as file:
    file.write(json.dumps([arguments, told]) + "\n")
entry_point = arguments[arguments.index("--entry-point") + 1]
if entry_point == "refused":
    sys.exit(3)
if entry_point == "slow":
    time.sleep(0.3)
request = urllib.request.Request(
    os.environ["MLPROJ_TRACKING_URI"] + "/api/2.0/test/begin",
    data=json.dumps({"run_id": arguments[arguments.index("--run-id") + 1]}).encode(),
)
urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).close()
if entry_point == "slow":
    time.sleep(1)
    with open(notes, "a") as file:
        file.write('"ended"\n')
if entry_point == "endless":
    time.sleep(100)
sys.exit(entry_point == "fails")
