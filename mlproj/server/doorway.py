"""Takes in the listening socket that an isolated run's first process hands out of its own network."""

from __future__ import annotations

import os
import socket


def prepared(listener: socket.socket) -> socket.socket:
    """A listening socket as our event loop wants it."""
    listener.setblocking(False)
    # Connections have it from here: asyncio sets it only where a socket names its protocol. Without it
    # the second half of every answer waits for the client to confirm the first, some 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def handed_in(threshold: socket.socket) -> list[socket.socket]:
    """What comes through there now: a socket that listens, or nothing. Whatever else it is, is closed."""
    _, descriptors, _, _ = socket.recv_fds(threshold, 1, 1)
    return [handed for descriptor in descriptors if (handed := _listener(descriptor)) is not None]


def _listener(descriptor: int) -> socket.socket | None:
    try:
        handed = socket.socket(fileno=descriptor)
    except OSError:
        os.close(descriptor)
        return None
    if handed.family == socket.AF_INET and handed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return prepared(handed)
    handed.close()
    return None
