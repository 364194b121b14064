"""What is said at the end of a run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from mlproj.cli.words import counted, duration, number, short, size
from mlproj.model.events import Reused
from mlproj.model.notes import undeclared
from mlproj.model.run import Run, Status, models_among


def run_summary(run: Run, reused: Reused | None = None, store: str | None = None) -> Iterator[str]:
    """The lines said at the end of a run, or of one that is `reused`; `store` is what the caller named."""
    outcome = run.outcome
    if outcome is None:
        return
    word = {Status.FINISHED: "finished", Status.KILLED: "was stopped"}.get(run.status, "failed")
    reason = f": {outcome.reason}" if outcome.reason else ""
    if reused is not None and reused.run_id == run.run_id:
        yield f"reused run `{run.name}` ({run.run_id[:8]}) of {outcome.ended}: {reused.because}"
    else:
        yield f"run `{run.name}` ({run.run_id[:8]}) {word} in {duration(outcome.usage.wall_s)}{reason}"
    if outcome.latest:
        yield "metrics: " + ", ".join(f"{key} {number(value)}" for key, value in outcome.latest.items())
    models = models_among(outcome.outputs)
    for folder, files in models.items():
        yield f"model: {folder} ({counted(len(files), 'file')}, {size(sum(file.size for file in files))})"
    told_already = {file.path for files in models.values() for file in files}
    for output in outcome.outputs:
        if output.path not in told_already:
            told = f"{size(output.size)}, sha256 {short(output.digest)}" if output.digest else output.state
            yield f"output: {output.path} ({told})"
    if outcome.reads:
        yield (
            f"read and not declared: {undeclared(outcome.reads)};"
            " declare data under `inputs:` of the entry point, or by `--input`"
        )
    there = "" if store is None else f" --store {shlex.quote(store)}"
    yield f"hint: `mlproj show {run.run_id[:8]}{there}` tells everything that is known of it"
