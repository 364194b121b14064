"""`mlproj store`: the store as a whole, backed up, restored or moved while it may be in use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mlproj import wiring
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.terminal import reporting, say
from mlproj.cli.words import counted, size
from mlproj.errors import Altered
from mlproj.housekeeping_ports import Copied

app = typer.Typer(
    help="Back up, restore or move the store, while it may be in use; or its contents alone.",
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

NoWaitOption = Annotated[
    bool, typer.Option("--no-wait", help="Refuse where somebody has the store open, instead of waiting.")
]


@app.command()
def backup(
    destination: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A new folder, or an earlier backup of this store.")
    ],
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Copy the store to a folder, which is a store itself; a second time brings what is new.

    Runs may go on meanwhile. Contents that are no longer what was recorded are left behind, and told: ends
    with 7 then.
    """
    with reporting() as report:
        copied = wiring.back_up(store, destination, report)
    return _told(copied, "backed up to", as_json)


@app.command()
def restore(
    backup: Annotated[Path, typer.Argument(metavar="BACKUP", help="A folder that `backup` made.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Put the store that is there aside, under another name.")
    ] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Make the store anew from a backup, which stays as it is."""
    with reporting() as report:
        copied = wiring.restore(store, backup, report, replacing=replace)
    return _told(copied, "restored at", as_json)


@app.command()
def move(
    destination: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder.")],
    no_wait: NoWaitOption = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Move the store to another folder; from its old one it is still found."""
    with reporting() as report:
        moved = wiring.move(store, destination, report, wait=_may_wait(no_wait))
    return _told(moved, "moved to", as_json)


@app.command()
def move_contents(
    destination: Annotated[
        str, typer.Argument(metavar="DESTINATION", help="A folder, or a URL of a bucket.")
    ],
    no_wait: NoWaitOption = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Have the contents of the store elsewhere: what is not there is copied, and then they count there.

    The store stays where it is, and what lies at the old place is not removed. Stop servers of it first.
    """
    with reporting() as report:
        moved = wiring.move_contents(store, destination, report, wait=_may_wait(no_wait))
    if as_json:
        print_document(
            {
                "schema": "mlproj/store-contents/1",
                "place": moved.place,
                "before": moved.before,
                "files": moved.files,
                "bytes": moved.size,
            }
        )
        return 0
    came = f": {counted(moved.files, 'new file')}, {size(moved.size)}" if moved.files else ""
    say(f"the contents of the store are at `{moved.place}`{came}")
    left = (
        "in the store's own folder, below `blobs/sha256/`,"
        if moved.before is None
        else f"at `{moved.before}`"
    )
    say(f"what lies {left} is no longer needed")
    return 0


def _may_wait(no_wait: bool) -> bool:
    return not no_wait and "MLPROJ_RUN_ID" not in os.environ  # a run would wait for itself


def _told(copied: Copied, verb: str, as_json: bool) -> int:
    if as_json:
        print_document({"schema": "mlproj/store/1", **_document(copied)})
    else:
        came = f": {counted(copied.files, 'new file')}, {size(copied.size)}" if copied.files else ""
        say(f"the store is {verb} `{copied.path}`{came}")
        for digest in copied.altered:
            say(f"left behind, because it is not what was recorded: {digest}")
    return Altered.exit_code if copied.altered else 0


def _document(copied: Copied) -> dict[str, object]:
    return {
        "path": str(copied.path),
        "files": copied.files,
        "bytes": copied.size,
        "altered": list(copied.altered),
    }
