"""Who may do what at a server: levels as MLflow names them, each with all that those before it allow."""

from __future__ import annotations

import enum


class Level(enum.Enum):
    """What a user may do with an experiment or a registered model, and all that is in it."""

    NONE = "NO_PERMISSIONS"
    READ = "READ"
    EDIT = "EDIT"
    MANAGE = "MANAGE"

    def allows(self, wanted: Level) -> bool:
        order = list(Level)
        return order.index(wanted) <= order.index(self)


class Kind(enum.Enum):
    """What rights are given to: an experiment by its id, a registered model by its name."""

    EXPERIMENT = "experiment"
    MODEL = "model"
