"""Where the script of a run at a server logs to: that server, by the token that it gave for the run."""

from __future__ import annotations

from mlproj.errors import StoreError
from mlproj.model.environment import Door


class StraightEndpoint:
    """An `Endpoint` that the script reaches itself. `uri` ends in the token."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.token = uri.rpartition("/")[2]

    def door(self) -> Door:
        raise StoreError("a script in a network of its own reaches no server by itself")

    def close(self) -> None:
        """The token ends with the run."""
