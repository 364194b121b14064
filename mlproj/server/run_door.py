"""Lets the scripts of runs in that are recorded here from afar, each by its token in the path, to its run."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict

from mlproj.far_ports import Reception, RunTokens
from mlproj.server.access import GRANT, PREFIX, Application, Grant, Receive, Refusal, Scope, Send
from mlproj.server.failures import UNKNOWN_CALLER, Failure

_PATH = re.compile(r"/t/(?P<token>[^/]+)(?P<rest>/.*)?", re.DOTALL)
_MOST = 10_000


class RunDoor:
    """Requests whose path begins with the token of a run that goes on may do what its script may."""

    def __init__(self, app: Application, tokens: RunTokens, reception: Reception) -> None:
        self._inner = app
        self._tokens = tokens
        self._reception = reception
        self._lock = threading.Lock()
        self._grants: OrderedDict[str, Grant] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = _PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if found is None:
            await self._inner(scope, receive, send)
            return
        token, rest = found["token"], found["rest"] or "/"
        run_id = self._tokens.run_of(token)
        if run_id is None:
            refusal = Failure(UNKNOWN_CALLER, "the token of this request is that of no run which goes on")
            await Refusal(refusal)(scope, receive, send)
            return
        told = {"path": rest, "raw_path": rest.encode(), "root_path": ""}
        grant = self._grant(token, run_id)
        await self._inner({**scope, **told, GRANT: grant, PREFIX: f"/t/{token}"}, receive, send)

    def _grant(self, token: str, run_id: str) -> Grant:
        """The same for every request of a script: it remembers what that made."""
        with self._lock:
            grant = self._grants.get(token)
            if grant is None:
                grant = Grant(run_id, lambda other: self._reception.owns(run_id, other), secrets=(token,))
                self._grants[token] = grant
                if len(self._grants) > _MOST:
                    self._grants.popitem(last=False)
            return grant
