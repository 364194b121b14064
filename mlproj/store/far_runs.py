"""Rows of runs whose runner is on another machine: no lock here tells whether it lives, only its own word."""

from __future__ import annotations

import time

from mlproj.far_ports import SILENCE_S
from mlproj.model.moment import timestamp
from mlproj.store.connection import Connection
from mlproj.store.machine import Machine

_AFAR = "afar:"


def machine_of(host: str) -> Machine:
    """What stands for a machine that no machine can judge, be it this very one."""
    return Machine(host=f"{_AFAR}{host}", boot_id="")


def hear(connection: Connection, run_id: str, time: str) -> None:
    """Notes that the runner was heard of. Expects to be in a transaction, and the run to be there."""
    known = connection.execute("SELECT 1 FROM supervised WHERE run_id = ?", (run_id,)).fetchone()
    if known is None:
        connection.execute("INSERT INTO supervised (run_id, seen) VALUES (?, ?)", (run_id, time))
    else:
        connection.execute("UPDATE supervised SET seen = ? WHERE run_id = ?", (time, run_id))


def unwatch(connection: Connection, run_id: str) -> None:
    """Forgets when the runner of a run was heard of, which is over."""
    connection.execute("DELETE FROM supervised WHERE run_id = ?", (run_id,))


def heard_lately(connection: Connection, run_id: str) -> bool:
    """Whether the runner of a run has told of itself of late."""
    query = "SELECT 1 FROM supervised WHERE run_id = ? AND seen >= ?"
    return connection.execute(query, (run_id, heard_since())).fetchone() is not None


def heard_since() -> str:
    """The moment since when whoever lives has told so."""
    return timestamp(time.time() - SILENCE_S)


def begun_by(connection: Connection, run_id: str, other: str) -> bool:
    """Whether the script of a run began the other."""
    query = "SELECT 1 FROM runs WHERE run_id = ? AND (owner = ? OR parent = ?)"
    return connection.execute(query, (other, run_id, run_id)).fetchone() is not None


def experiment_named(connection: Connection, name: str) -> str | None:
    """The id of an experiment."""
    row = connection.execute("SELECT id FROM experiments WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])
