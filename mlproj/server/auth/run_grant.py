"""What the script of a run may write that logs to a server from elsewhere."""

from __future__ import annotations

from collections.abc import Callable

from mlproj.server.access import Grant


class RunGrant(Grant):
    """Of runs, its own and those that its script began, as the store has it: a server has several processes,
    and each request may come to another. Other things are its user's to write, as far as they may."""

    def __init__(self, run_id: str, owns: Callable[[str, str], bool], token: str) -> None:
        super().__init__(run_id, lambda other: owns(run_id, other), secrets=(token,))

    def has(self, kind: str, name: str) -> bool:
        return kind != "run" or super().has(kind, name)
