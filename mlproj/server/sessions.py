"""Closes the connections that several processes would use at once.

MLflow's client before 2.3.1 keeps one for all requests, through a fork as well: parent and children write
into each other's requests, then, and take each other's answers. MLflow's own server of that time closed each.
"""

from __future__ import annotations

import re

from mlproj.server.access import Application, Message, Receive, Scope, Send

_SHARING = re.compile(rb"mlflow-python-client/(?:0|1|2\.[0-3])\.")


class Unshared:
    """Answers each request of such a client with the end of its connection."""

    def __init__(self, inner: Application) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_and_close(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        shares = any(
            name == b"user-agent" and _SHARING.match(value) for name, value in scope.get("headers", ())
        )
        await self._inner(scope, receive, send_and_close if shares else send)
