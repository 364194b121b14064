"""A run's own server: a port that is open from the start, and an application loaded when somebody calls.

A script that logs nothing pays for a socket and a waiting thread. Nothing of the web framework or of the
database's toolkit is imported before the first connection.
"""

from __future__ import annotations

import contextlib
import importlib
import select
import socket
import threading
from collections.abc import Callable
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any

from mlproj.artifact_ports import Artifacts
from mlproj.errors import MlprojError
from mlproj.model.environment import Door, Reach
from mlproj.server.access import LOOPBACK, Application, Grant, Guard, Refusal
from mlproj.server.doorway import handed_in, prepared
from mlproj.server.failures import INTERNAL, NO_STORE, Failure, told
from mlproj.tracking_ports import Tracking

if TYPE_CHECKING:
    from mlproj.server.serving import Serving

_ADDRESS = "127.0.0.1"
_BACKLOG = 2048
_PATIENCE = 15.0
"""Seconds to wait at the end for a thread that is loading or answering still."""


class Endpoint:
    """Serves one run's script until `close`.

    `open_tracking` and `open_artifacts` are called in the endpoint's thread, at the first connection. `owns`
    tells of a run that was not made through this endpoint whether it is this run's nevertheless; a `movable`
    run goes to the experiment that a script names in which no hook can run, and with False its script is led
    to the run's own. With `reach` the script is in a container: it calls the name there, and has artifacts
    through us. With `relay` that answers what is asked, and nothing is opened here. Like the token, `secrets`
    are in nothing that is kept. `user` is whose run it is. `unexpected` hears of
    bugs, and of what could not be opened.
    """

    def __init__(
        self,
        run_id: str,
        open_tracking: Callable[[], Tracking],
        open_artifacts: Callable[[], Artifacts],
        *,
        relay: Application | None = None,
        owns: Callable[[str], bool] | None = None,
        movable: bool | None = None,
        secrets: tuple[str, ...] = (),
        reach: Reach | None = None,
        user: str = "",
        unexpected: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        self.token = token_urlsafe(24)
        self._secrets = (self.token, *secrets)
        self._run_id = run_id
        self._open_tracking = open_tracking
        self._open_artifacts = open_artifacts
        self._relay = relay
        self._owns = owns
        self._movable = movable
        self._reach = reach or Reach(address=_ADDRESS, name=_ADDRESS)
        self._proxied = reach is not None
        self._user = user
        self._unexpected = unexpected
        listener = socket.create_server((self._reach.address, 0), backlog=_BACKLOG)
        self._port: int = listener.getsockname()[1]
        self._listeners = [prepared(listener)]
        self._woken, self._waker = socket.socketpair()
        self._threshold, self._outside = socket.socketpair()
        self._lock = threading.Lock()
        self._closing = False
        self._serving: Serving | None = None
        self._thread = threading.Thread(target=self._serve, name="tracking", daemon=True)
        self._thread.start()

    @property
    def uri(self) -> str:
        """What a client takes for its tracking URI. It holds the token: redact it where it is shown."""
        return f"http://{self._reach.name}:{self._port}/t/{self.token}"

    @property
    def loaded(self) -> bool:
        """Whether anybody has called yet."""
        return self._serving is not None

    def door(self) -> Door:
        """Where a program hands in a socket that listens on our port elsewhere: one, in another network."""
        return Door(port=self._port, descriptor=self._outside.fileno())

    def close(self) -> None:
        """Ends the server: nothing new is taken, and what has arrived is answered. May be called twice."""
        with self._lock:
            self._closing = True
            if self._serving is not None:
                self._serving.end()
            with contextlib.suppress(OSError):
                self._waker.send(b"\0")
        self._thread.join(_PATIENCE)
        for each in (*self._listeners, self._woken, self._waker, self._threshold, self._outside):
            each.close()

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def _serve(self) -> None:
        if not self._called():
            return
        with contextlib.ExitStack() as held:
            try:
                application = self._application(held)
            except Exception as error:
                self._unexpected(error)
                application = Refusal(_reason(error))
            try:
                serving: Serving = _part("serving:Serving")(application, self._listeners)
                with self._lock:
                    self._serving = serving
                    if self._closing:
                        serving.end()
                serving.run()
            except Exception as error:
                self._unexpected(error)

    def _called(self) -> bool:
        """Waits for the first connection, which stays in line; False where the end comes first."""
        while True:
            ready, _, _ = select.select([*self._listeners, self._woken, self._threshold], [], [])
            if self._threshold not in ready:
                return not self._closing
            self._listeners += handed_in(self._threshold)

    def _application(self, held: contextlib.ExitStack) -> Application:
        app: Application
        if self._relay is not None:
            app = self._relay
        else:
            tracking = self._open_tracking()
            held.callback(tracking.close)
            app = _part("app:create_app")(
                tracking,
                self._open_artifacts(),
                proxied=self._proxied,
                user=self._user,
                unexpected=self._unexpected,
            )
        grant = Grant(self._run_id, self._owns, movable=self._movable, secrets=self._secrets)
        guarded = Guard(app, grant, token=self.token, hosts=LOOPBACK | {self._reach.name})
        unshared: Application = _part("sessions:Unshared")(guarded)
        return unshared


def _reason(error: Exception) -> Failure:
    if isinstance(error, MlprojError):
        return told(error)
    return Failure(INTERNAL, f"the store cannot be opened: {type(error).__name__}", NO_STORE)


def _part(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(f"mlproj.server.{module}"), attribute)
