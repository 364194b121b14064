"""The door of a server: who calls is found out before anything else, and what they do is written down.

Runs that are at another machine come in by a token in the path, as a run's own endpoint has it: for them
there is a door at servers without users, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool

from mlproj.access_ports import Users
from mlproj.errors import MlprojError
from mlproj.model.access import Deed, Level
from mlproj.model.moment import now
from mlproj.server.access import (
    GRANT,
    LINK,
    PREFIX,
    USERS,
    VIEW,
    Application,
    Message,
    Receive,
    Refusal,
    Scope,
    Send,
)
from mlproj.server.auth import links
from mlproj.server.auth.credentials import ByToken, shown, token
from mlproj.server.auth.gate import Gate, Slow
from mlproj.server.auth.known import KnownCaller
from mlproj.server.auth.run_grant import RunGrant
from mlproj.server.auth.trail import Trail
from mlproj.server.callers import CALLER
from mlproj.server.failures import TOO_MANY, Failure, told
from mlproj.server.permitted.view import permitted

FREE = frozenset({"/health", "/ready", "/version"})
"""What anybody is told: nothing that is anybody's."""

_RUN = re.compile(r"/t/(?P<token>[^/]*)(?P<rest>/.*)?", re.DOTALL)
_REMOVES = re.compile(r"/delete(?:[-/]|$)|/abort/|/store/(?:runs/hide|garbage/)")
_OF_RIGHTS = ("/mlflow/users/", "/permissions/")
_CHECKERS = CapacityLimiter(2)
"""Threads for looking at passwords: whoever sends many wrong ones keeps nobody else from working."""
_MOST_WAITING = 500
_ASK = (b"www-authenticate", b'Basic realm="mlproj", charset="UTF-8"')


class Entrance:
    """Lets requests through to `inner` of those whom `users` knows, each with what its caller may do.

    What nobody said anything of is at the level `default`. `unexpected` hears of what could not be written
    down of things that were done already.
    """

    def __init__(
        self,
        users: Users,
        inner: Application,
        *,
        default: Level = Level.NONE,
        unexpected: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        self._users = users
        self._inner = inner
        self._default = default
        self._gate = Gate(users)
        self._trail = Trail(users.audit, unexpected)

    def close(self) -> None:
        """Writes down what is not yet, and lets go of the users."""
        self._trail.close()
        self._users.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in FREE:
            await self._inner(scope, receive, send)
            return
        try:
            scope, caller = await self._let_in(scope)
        except Failure as failure:
            await run_in_threadpool(self._write_refusal, scope, failure)
            await Refusal(failure, (_ASK,) if failure.status == 401 else ())(scope, receive, send)
            return
        except MlprojError as error:
            await Refusal(told(error))(scope, receive, send)
            return
        await self._inner(scope, receive, _Witness(self._trail, scope, caller, send))

    async def _let_in(self, scope: Scope) -> tuple[Scope, KnownCaller]:
        try:
            return await run_in_threadpool(self._admitted, scope, quick=True)
        except Slow:
            if _CHECKERS.statistics().tasks_waiting >= _MOST_WAITING:
                raise Failure(TOO_MANY, "too many people are coming in: try again in a moment") from None
            return await to_thread.run_sync(partial(self._admitted, scope), limiter=_CHECKERS)

    def _admitted(self, scope: Scope, *, quick: bool = False) -> tuple[Scope, KnownCaller]:
        address, path = _address(scope), scope["path"]
        given = shown(scope["headers"])
        if found := _RUN.fullmatch(path):
            given = token(found["token"])
            identity = self._gate.run(given, address)
            scope = _rewritten(scope, found["rest"] or "/", f"/t/{found['token']}")
        elif links.is_link(path):
            identity, path = links.followed(scope["method"], path, self._gate.signer)
            scope = _rewritten(scope, path, "")
        else:
            identity = self._gate.identity(given, address, quick=quick)
        confirmed = partial(self._gate.confirmed, address)
        caller = KnownCaller(identity, self._users, self._default, confirmed)
        admitted = {**scope, CALLER: caller, USERS: self._users, LINK: partial(links.signed, identity)}
        admitted[VIEW] = partial(permitted, caller)
        if identity.run_id is not None:
            secret = given.whole if isinstance(given, ByToken) else ""
            admitted[GRANT] = RunGrant(identity.run_id, self._users.owns, secret)
        return admitted, caller

    def _write_refusal(self, scope: Scope, failure: Failure) -> None:
        given = shown(scope["headers"])
        deed = Deed(
            time=now(),
            user=getattr(given, "name", None),
            token=getattr(given, "id", None),
            address=_address(scope),
            action=f"{scope['method']} {_plain(scope['path'])}",
            kind=None,
            thing=None,
            status=failure.status,
        )
        # Not one by one: whoever sends many would have us write as many.
        self._trail.gather(deed)


class OpenEntrance:
    """The door of a server that knows no users: everybody may do everything, but for the scripts of runs."""

    def __init__(self, users: Users, inner: Application) -> None:
        self._users = users
        self._inner = inner
        self._gate = Gate(users)

    def close(self) -> None:
        self._users.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                scope = await run_in_threadpool(self._admitted, scope)
            except MlprojError as error:
                await Refusal(told(error))(scope, receive, send)
                return
            except Failure as failure:
                await Refusal(failure)(scope, receive, send)
                return
        await self._inner(scope, receive, send)

    def _admitted(self, scope: Scope) -> Scope:
        found = _RUN.fullmatch(scope["path"])
        if found is None:
            return {**scope, USERS: self._users}
        identity = self._gate.run(token(found["token"]), _address(scope))
        grant = RunGrant(identity.run_id or "", self._users.owns, found["token"])
        told = _rewritten(scope, found["rest"] or "/", f"/t/{found['token']}")
        return {**told, USERS: self._users, GRANT: grant}


class _Witness:
    """Passes the answer on, when what was done is written down as far as that may not wait."""

    def __init__(self, trail: Trail, scope: Scope, caller: KnownCaller, send: Send) -> None:
        self._trail = trail
        self._scope = scope
        self._caller = caller
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._note(message["status"])
        await self._send(message)

    async def _note(self, status: int) -> None:
        refused = self._caller.refused or status == 403
        if not refused and not (self._caller.changes and status < 400):
            return
        deed = self._deed(status)
        # Nobody learns by how long it takes whether something is there that they may not see.
        if refused or self._may_wait(deed.action):
            self._trail.gather(deed)
        else:
            await run_in_threadpool(self._trail.write, deed)

    def _may_wait(self, action: str) -> bool:
        removes = self._scope["method"] == "DELETE" or _REMOVES.search(action)
        return not removes and not any(part in action for part in _OF_RIGHTS)

    def _deed(self, status: int) -> Deed:
        route = getattr(self._scope.get("route"), "path", None) or _plain(self._scope["path"])
        kind, thing = self._caller.about or (None, None)
        return Deed(
            time=now(),
            user=self._caller.name,
            token=self._caller.identity.token,
            address=_address(self._scope),
            action=f"{self._scope['method']} {route}",
            kind=kind,
            thing=thing,
            status=status,
        )


def _rewritten(scope: Scope, path: str, prefix: str) -> Scope:
    return {**scope, "path": path, "raw_path": quote(path).encode(), "root_path": "", PREFIX: prefix}


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _plain(path: str) -> str:
    """A path without what lets in by it."""
    return re.sub(r"^/(t|l)/.*", r"/\1/…", path, flags=re.DOTALL)
