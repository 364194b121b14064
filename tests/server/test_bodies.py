"""What requests hold in memory together has a bound, and what is small has room beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import pytest
from starlette.requests import Request

from mlproj.server.access import Message
from mlproj.server.bodies import SMALL, Room
from mlproj.server.failures import Failure
from mlproj.store_wire import MESSAGEPACK

MEBIBYTE = 1 << 20
LARGEST = 8 * MEBIBYTE


def request(*parts: bytes, kind: str = "application/json") -> Request:
    async def come() -> AsyncIterator[Message]:
        for part in parts:
            yield {"type": "http.request", "body": part, "more_body": True}
        yield {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "headers": [(b"content-type", kind.encode())]}
    return Request(scope, come().__anext__)


def held(room: Room, requests: Sequence[Request]) -> list[int | str]:
    """The size of each body, or the code of its refusal, where none is let go of before the last came."""

    async def hold() -> list[int | str]:
        found: list[int | str] = []
        async with AsyncExitStack() as stack:
            for each in requests:
                try:
                    found.append(len(await stack.enter_async_context(room.body(each, LARGEST))))
                except Failure as failure:
                    found.append(failure.code)
        return found

    return asyncio.run(hold())


def test_large_bodies_have_room_together_for_so_much() -> None:
    room, large, small = Room(8 * MEBIBYTE), b" " * MEBIBYTE, b" " * SMALL
    asked = [*(request(large) for _ in range(6)), *(request(small) for _ in range(20)), request(large, large)]
    not_now = "TEMPORARILY_UNAVAILABLE"
    expected = [*[MEBIBYTE] * 4, *[not_now] * 2, *[SMALL] * 20, not_now]
    assert held(room, asked) == expected
    # What is over has let go of its room, what was refused as well.
    assert held(room, [request(large, large, large)]) == [3 * MEBIBYTE]
    assert held(room, [request(*[large] * 5), request(*[large] * 9)]) == ["INVALID_PARAMETER_VALUE"] * 2


@pytest.mark.parametrize(
    ("kind", "value"), [("application/json", b"[],"), (MESSAGEPACK, b"\xa1x"), (MESSAGEPACK, b"\x90")]
)
def test_many_small_values_count_as_what_becomes_of_them(kind: str, value: bytes) -> None:
    many, text = value * (MEBIBYTE // len(value)), b"x" * MEBIBYTE
    room = Room(20 * MEBIBYTE)
    asked = [request(many, kind=kind), request(text, kind=kind)]
    assert held(room, asked) == ["INVALID_PARAMETER_VALUE", MEBIBYTE]
