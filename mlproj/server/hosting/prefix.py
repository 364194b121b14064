"""Takes off paths what a proxy has this server's paths begin with, whether it left it there or not."""

from __future__ import annotations

from mlproj.server.access import ROOT, Application, Receive, Scope, Send


class Below:
    """Has `inner` see paths as if the server were at the root; addresses that it tells have the prefix."""

    def __init__(self, inner: Application, prefix: str) -> None:
        self._inner = inner
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path == self._prefix or path.startswith(f"{self._prefix}/"):
            path = path.removeprefix(self._prefix) or "/"
        told = {"path": path, "raw_path": path.encode(), "root_path": "", ROOT: self._prefix}
        await self._inner({**scope, **told}, receive, send)
