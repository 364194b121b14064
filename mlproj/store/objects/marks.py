"""What lies beside contents and says whose they are: two stores would take each other's for garbage."""

from __future__ import annotations

from mlproj.errors import StoreError

MARK = "store"
"""Its name."""


def taken(shown: str) -> StoreError:
    return StoreError(
        f"`{shown}` holds the contents of another store",
        hint=f"name another place; where that store is no more, remove `{MARK}` there",
    )
