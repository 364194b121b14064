"""What `mlproj gc` and `mlproj prune` have in common: who does it, and how it is told."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from typing import Annotated

import typer

from mlproj.cli.documents import print_document
from mlproj.cli.sheet import Section, print_sheet
from mlproj.cli.terminal import say
from mlproj.cli.words import counted, duration, size
from mlproj.model.moment import now
from mlproj.services.cleaning import Cleaning, Manner
from mlproj.settings import user_name
from mlproj.spec.duration import seconds
from mlproj.store_ports import Listed

_SHOWN = 10

DryRunOption = Annotated[bool, typer.Option("--dry-run", "-n", help="Say what would go, and remove nothing.")]
GraceOption = Annotated[
    str,
    typer.Option(
        "--grace", metavar="TIME", help="Leave content that nothing names, yet was used so lately, alone."
    ),
]


def manner(grace: str, dry_run: bool) -> Manner:
    """Cleaning as this person, now. `grace` is a length of time, `0` for none. Raises UsageError."""
    return Manner(
        who=f"{user_name()}@{platform.node()}",
        now=now(),
        grace_s=0.0 if grace.strip() == "0" else seconds(grace),
        dry_run=dry_run,
    )


def tell(schema: str, found: Cleaning, grace_s: float, as_json: bool) -> None:
    """Prints what went, or would go: the runs on stdout, the sums as talk; or all as one document."""
    garbage, removed = found.garbage, found.removed
    files = len(garbage.blobs) + len(garbage.leftovers) if removed is None else removed.files
    freed = garbage.size if removed is None else removed.size
    if as_json:
        print_document(
            {
                "schema": schema,
                "dry_run": removed is None,
                "runs": _told(found.runs),
                "kept": _told(found.kept),
                "files": files,
                "bytes": freed,
                "spared": {"blobs": garbage.young, "bytes": garbage.young_size},
            }
        )
        return
    print_sheet([Section(rows=tuple((row.run_id[:8], row.name, row.created) for row in found.runs))])
    went = "would be removed" if removed is None else "were removed"
    say(f"{counted(len(found.runs), 'run')} and {counted(files, 'file')} {went}: {size(max(freed, 0))}")
    if found.kept:
        more = ", ..." if len(found.kept) > _SHOWN else ""
        runs = ", ".join(f"`{row.name}` ({row.run_id[:8]})" for row in found.kept[:_SHOWN])
        say(f"stay, since registered models are made of what they left: {runs}{more}")
    if garbage.young:
        left = f"{counted(garbage.young, 'blob')} ({size(garbage.young_size)}) that nothing names"
        say(f"{left} stay for now: used within {duration(grace_s)}, or in use by a run")


def _told(rows: Iterable[Listed]) -> list[dict[str, str]]:
    return [{"run_id": row.run_id, "name": row.name, "created": row.created} for row in rows]
