"""Who may do what with an experiment or a registered model, for whoever manages it, by MLflow's routes.

Clients of MLflow 2 have four routes for either kind of thing, those of MLflow 3 have three for both.
"""

from __future__ import annotations

from mlproj.access_ports import Users
from mlproj.errors import AlreadyThere, NotFound
from mlproj.model.access import Kind, Level, Permission, experiment_key
from mlproj.server.desk import Desk
from mlproj.server.route import TRACES, Route, delete, get, patch, post
from mlproj.server.routes.users import denied, known
from mlproj.server.wire.users import (
    ExperimentLevel,
    ExperimentUser,
    ModelLevel,
    ModelUser,
    OneExperimentPermission,
    OneModelPermission,
    ResourceLevel,
    ResourcePermission,
    ResourceUser,
    kind,
    level,
    told_experiment_permission,
    told_model_permission,
)
from mlproj.server.wire.values import Empty


def create_of_experiment(desk: Desk, asked: ExperimentLevel) -> OneExperimentPermission:
    said = _created(desk, Kind.EXPERIMENT, asked.experiment_id, asked.username, asked.permission)
    return OneExperimentPermission(experiment_permission=told_experiment_permission(said))


def fetch_of_experiment(desk: Desk, asked: ExperimentUser) -> OneExperimentPermission:
    said = _said(desk, Kind.EXPERIMENT, asked.experiment_id, asked.username)
    return OneExperimentPermission(experiment_permission=told_experiment_permission(said))


def update_of_experiment(desk: Desk, asked: ExperimentLevel) -> Empty:
    return _updated(desk, Kind.EXPERIMENT, asked.experiment_id, asked.username, asked.permission)


def delete_of_experiment(desk: Desk, asked: ExperimentUser) -> Empty:
    return _withdrawn(desk, Kind.EXPERIMENT, asked.experiment_id, asked.username)


def create_of_model(desk: Desk, asked: ModelLevel) -> OneModelPermission:
    said = _created(desk, Kind.MODEL, asked.name, asked.username, asked.permission)
    return OneModelPermission(registered_model_permission=told_model_permission(said))


def fetch_of_model(desk: Desk, asked: ModelUser) -> OneModelPermission:
    said = _said(desk, Kind.MODEL, asked.name, asked.username)
    return OneModelPermission(registered_model_permission=told_model_permission(said))


def update_of_model(desk: Desk, asked: ModelLevel) -> Empty:
    return _updated(desk, Kind.MODEL, asked.name, asked.username, asked.permission)


def delete_of_model(desk: Desk, asked: ModelUser) -> Empty:
    return _withdrawn(desk, Kind.MODEL, asked.name, asked.username)


def grant(desk: Desk, asked: ResourceLevel) -> Empty:
    """In the place of what was said before."""
    of, wanted = kind(asked.resource_type), level(asked.permission)
    users, thing = _managed(desk, of, asked.resource_id)
    users.accounts.get(asked.username)
    users.rights.grant(asked.username, of, thing, wanted)
    return Empty()


def revoke(desk: Desk, asked: ResourceUser) -> Empty:
    return _withdrawn(desk, kind(asked.resource_type), asked.resource_id, asked.username)


def effective(desk: Desk, asked: ResourceUser) -> ResourcePermission:
    """What a user may in fact do: asked by themselves, or by whoever manages the thing."""
    of, thing, users = kind(asked.resource_type), asked.resource_id, known(desk)
    if asked.username != desk.caller.name:
        _, thing = _managed(desk, of, thing, changes=False)
    may = desk.caller.level_of(users.accounts.get(asked.username), of, thing)
    return ResourcePermission(allowed=may.allows(Level.READ), permission=may.value)


def _created(desk: Desk, of: Kind, named: str, user: str, wanted: str) -> Permission:
    users, thing = _managed(desk, of, named)
    new = level(wanted)
    users.accounts.get(user)
    if users.rights.level(user, of, thing) is not None:
        raise AlreadyThere(f"The permission of '{user}' to the {of.value} '{thing}' exists already")
    users.rights.grant(user, of, thing, new)
    return Permission(user=user, kind=of, thing=thing, level=new)


def _said(desk: Desk, of: Kind, named: str, user: str) -> Permission:
    users, thing = _managed(desk, of, named, changes=False)
    found = users.rights.level(user, of, thing)
    if found is None:
        raise NotFound(f"The permission of '{user}' to the {of.value} '{thing}' was not found")
    return Permission(user=user, kind=of, thing=thing, level=found)


def _updated(desk: Desk, of: Kind, named: str, user: str, wanted: str) -> Empty:
    said = _said(desk, of, named, user)
    users, _ = _managed(desk, of, named)
    users.rights.grant(user, of, said.thing, level(wanted))
    return Empty()


def _withdrawn(desk: Desk, of: Kind, named: str, user: str) -> Empty:
    users, thing = _managed(desk, of, named)
    users.rights.withdraw(user, of, thing)
    return Empty()


def _managed(desk: Desk, of: Kind, thing: str, *, changes: bool = True) -> tuple[Users, str]:
    """The server's users, and what the thing is called by which rights to it are kept.

    Raises NotFound where it is not there or not the caller's to read, Failure where not theirs to manage.
    """
    users = known(desk)
    if of is Kind.EXPERIMENT:
        thing = experiment_key(desk.tracking.experiments.get(thing).experiment_id)
    else:
        thing = desk.tracking.registry.get(thing).name
    if not desk.caller.may(Level.MANAGE, of, thing):
        raise denied()
    desk.caller.note(of.value, thing, changes=changes)
    return users, thing


_EXPERIMENT, _MODEL, _BOTH = "experiments/permissions", "registered-models/permissions", "users/permissions"

ROUTES: tuple[Route, ...] = (
    post(f"{_EXPERIMENT}/create", ExperimentLevel, OneExperimentPermission, create_of_experiment),
    get(f"{_EXPERIMENT}/get", ExperimentUser, OneExperimentPermission, fetch_of_experiment),
    patch(f"{_EXPERIMENT}/update", ExperimentLevel, Empty, update_of_experiment),
    delete(f"{_EXPERIMENT}/delete", ExperimentUser, Empty, delete_of_experiment),
    post(f"{_MODEL}/create", ModelLevel, OneModelPermission, create_of_model),
    get(f"{_MODEL}/get", ModelUser, OneModelPermission, fetch_of_model),
    patch(f"{_MODEL}/update", ModelLevel, Empty, update_of_model),
    delete(f"{_MODEL}/delete", ModelUser, Empty, delete_of_model),
    post(f"{_BOTH}/grant", ResourceLevel, Empty, grant, below=TRACES),
    post(f"{_BOTH}/revoke", ResourceUser, Empty, revoke, below=TRACES),
    get(f"{_BOTH}/get", ResourceUser, ResourcePermission, effective, below=TRACES),
)
