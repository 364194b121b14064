"""Refuses requests that are larger than a server takes, before they are read where they say so."""

from __future__ import annotations

from mlproj.server.access import Application, Message, Receive, Refusal, Scope, Send
from mlproj.server.failures import INVALID, Failure

TOO_LARGE = 413


class Sized:
    """Has `inner` read at most so many bytes of a request; of a longer one it reads as if its client had gone
    away, and the client is told why."""

    def __init__(self, inner: Application, most: int) -> None:
        self._inner = inner
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = Refusal(Failure(INVALID, f"the request is larger than {self._most} bytes", TOO_LARGE))
        if _told(scope) > self._most:
            await refusal(scope, receive, send)
            return
        size, over, answered = 0, False, False

        async def counted() -> Message:
            nonlocal size, over
            message = await receive()
            size += len(message.get("body", b""))
            over = over or size > self._most
            return {"type": "http.disconnect"} if over else message

        async def unless_over(message: Message) -> None:
            nonlocal answered
            if not over or answered:
                await send(message)
                answered = True

        await self._inner(scope, counted, unless_over)
        if over and not answered:
            await refusal(scope, receive, send)


def _told(scope: Scope) -> int:
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() else 0
