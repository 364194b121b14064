"""Users and their rights on the wire, as MLflow's own client of its users has them."""

from __future__ import annotations

from mlproj.model.access import Kind, Level, Permission, User
from mlproj.server.failures import invalid
from mlproj.server.wire.values import Answer, Named, Request


class CreateUser(Request, frozen=True, kw_only=True):
    username: Named
    password: Named


class NamedUser(Request, frozen=True, kw_only=True):
    username: Named


class UpdatePassword(Request, frozen=True, kw_only=True):
    """Whoever changes their own says the one before, too."""

    username: Named
    password: Named
    current_password: str = ""


class UpdateAdmin(Request, frozen=True, kw_only=True):
    username: Named
    is_admin: bool


class ExperimentUser(Request, frozen=True, kw_only=True):
    experiment_id: Named
    username: Named


class ExperimentLevel(ExperimentUser, frozen=True, kw_only=True):
    permission: Named


class ModelUser(Request, frozen=True, kw_only=True):
    name: Named
    username: Named


class ModelLevel(ModelUser, frozen=True, kw_only=True):
    permission: Named


class ResourceUser(Request, frozen=True, kw_only=True):
    username: Named
    resource_type: Named
    resource_id: Named


class ResourceLevel(ResourceUser, frozen=True, kw_only=True):
    permission: Named


class ToldExperimentPermission(Answer, frozen=True, kw_only=True):
    experiment_id: str
    user_id: str
    permission: str


class ToldModelPermission(Answer, frozen=True, kw_only=True):
    name: str
    user_id: str
    permission: str


class ToldUser(Answer, frozen=True, kw_only=True):
    """A user. Their name is their id."""

    id: str
    username: str
    is_admin: bool
    experiment_permissions: tuple[ToldExperimentPermission, ...]
    registered_model_permissions: tuple[ToldModelPermission, ...]


class OneUser(Answer, frozen=True, kw_only=True):
    user: ToldUser


class CurrentUser(OneUser, frozen=True, kw_only=True):
    is_basic_auth: bool


class AllUsers(Answer, frozen=True, kw_only=True):
    users: tuple[ToldUser, ...]


class OneExperimentPermission(Answer, frozen=True, kw_only=True):
    experiment_permission: ToldExperimentPermission


class OneModelPermission(Answer, frozen=True, kw_only=True):
    registered_model_permission: ToldModelPermission


class ResourcePermission(Answer, frozen=True, kw_only=True):
    """What somebody may in fact do with a thing, whatever that comes of."""

    allowed: bool
    permission: str


def told_user(user: User, permissions: tuple[Permission, ...]) -> ToldUser:
    return ToldUser(
        id=user.name,
        username=user.name,
        is_admin=user.admin,
        experiment_permissions=tuple(
            told_experiment_permission(each) for each in permissions if each.kind is Kind.EXPERIMENT
        ),
        registered_model_permissions=tuple(
            told_model_permission(each) for each in permissions if each.kind is Kind.MODEL
        ),
    )


def told_experiment_permission(said: Permission) -> ToldExperimentPermission:
    return ToldExperimentPermission(experiment_id=said.thing, user_id=said.user, permission=said.level.value)


def told_model_permission(said: Permission) -> ToldModelPermission:
    return ToldModelPermission(name=said.thing, user_id=said.user, permission=said.level.value)


def level(name: str) -> Level:
    """The level of this name. Raises Failure."""
    try:
        return Level(name)
    except ValueError:
        levels = ", ".join(each.value for each in Level)
        raise invalid(f"Invalid permission '{name[:50]}'. Valid permissions are: {levels}") from None


_KINDS = {"experiment": Kind.EXPERIMENT, "registered_model": Kind.MODEL, "prompt": Kind.MODEL}


def kind(name: str) -> Kind:
    """What rights are given to, by MLflow's name of it. Raises Failure."""
    found = _KINDS.get(name)
    if found is None:
        raise invalid(f"Invalid resource type '{name[:50]}'. Valid resource types are: {', '.join(_KINDS)}")
    return found
