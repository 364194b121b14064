"""The users of a server: made, looked up, changed and removed as MLflow's own client of its users does."""

from __future__ import annotations

from mlproj.access_ports import Users
from mlproj.model.access import User
from mlproj.server.callers import Anybody
from mlproj.server.desk import Desk
from mlproj.server.failures import DENIED, NO_ENDPOINT, Failure, invalid
from mlproj.server.route import Route, delete, get, patch, post
from mlproj.server.wire.users import (
    AllUsers,
    CreateUser,
    CurrentUser,
    NamedUser,
    OneUser,
    ToldUser,
    UpdateAdmin,
    UpdatePassword,
    told_user,
)
from mlproj.server.wire.values import Empty


def create(desk: Desk, asked: CreateUser) -> OneUser:
    users = managed(desk, asked.username)
    made = users.accounts.add(asked.username, password=asked.password)
    return OneUser(user=_told(users, made))


def fetch(desk: Desk, asked: NamedUser) -> OneUser:
    users = known(desk)
    if desk.caller.name != asked.username and not desk.caller.admin:
        raise denied()
    return OneUser(user=_told(users, users.accounts.get(asked.username)))


def current(desk: Desk, asked: Empty) -> CurrentUser:
    users = known(desk)
    if desk.caller.name is None:
        raise denied()
    told = _told(users, users.accounts.get(desk.caller.name))
    return CurrentUser(user=told, is_basic_auth=True)


def listing(desk: Desk, asked: Empty) -> AllUsers:
    users = known(desk)
    if not desk.caller.admin:
        raise denied()
    return AllUsers(users=tuple(_told(users, user) for user in users.accounts.all()))


def update_password(desk: Desk, asked: UpdatePassword) -> Empty:
    """One's own needs the one before it: a session that somebody took over, or a token, is not enough."""
    if desk.caller.name == asked.username:
        users = known(desk)
        if not asked.current_password:
            raise invalid("Current password is required when changing your own password.")
        desk.caller.confirm(asked.current_password)
        desk.caller.note("user", asked.username, changes=True)
    else:
        users = managed(desk, asked.username)
    users.accounts.change(asked.username, password=asked.password)
    return Empty()


def update_admin(desk: Desk, asked: UpdateAdmin) -> Empty:
    managed(desk, asked.username).accounts.change(asked.username, admin=asked.is_admin)
    return Empty()


def remove(desk: Desk, asked: NamedUser) -> Empty:
    managed(desk, asked.username).accounts.remove(asked.username)
    return Empty()


def known(desk: Desk) -> Users:
    """The server's users. Raises Failure where it has none."""
    if desk.users is None or isinstance(desk.caller, Anybody):
        raise Failure(NO_ENDPOINT, "this server knows no users: it was started without `--auth`")
    return desk.users


def managed(desk: Desk, name: str) -> Users:
    """The server's users, for whoever manages them, to change what is about this one. Raises Failure."""
    users = known(desk)
    desk.caller.note("user", name, changes=True)
    if not desk.caller.admin:
        raise denied()
    return users


def denied() -> Failure:
    return Failure(DENIED, "Permission denied")


def _told(users: Users, user: User) -> ToldUser:
    return told_user(user, tuple(users.rights.all(user=user.name)))


ROUTES: tuple[Route, ...] = (
    post("users/create", CreateUser, OneUser, create),
    get("users/get", NamedUser, OneUser, fetch),
    get("users/current", Empty, CurrentUser, current),
    get("users/list", Empty, AllUsers, listing),
    patch("users/update-password", UpdatePassword, Empty, update_password),
    patch("users/update-admin", UpdateAdmin, Empty, update_admin),
    delete("users/delete", NamedUser, Empty, remove),
)
