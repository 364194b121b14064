"""A model of MLflow's as its folder describes it: flavours, signature, environment, and where it is from."""

from __future__ import annotations

import msgspec

from mlproj.model.digest import Json

SKLEARN = "sklearn"
"""The flavour that any model of MLflow's is asked by, and the one that a file of scikit-learn's has."""


class ColumnType(msgspec.Struct, frozen=True, kw_only=True):
    """The type of a column, parameter or part of one. `name` is `double`, `tensor`, `array`, `object`, `map`…

    A tensor has a `dtype` and a `shape`, in which -1 stands for any length; an array's and a map's values are
    of the type `items`, an object's of those of `fields`.
    """

    name: str
    dtype: str | None = None
    shape: tuple[int, ...] | None = None
    items: ColumnType | None = None
    fields: tuple[Column, ...] = ()

    def __str__(self) -> str:
        if self.dtype is not None:
            shape = ", ".join(map(str, self.shape or ()))
            return f"{self.name}({self.dtype}, ({shape}{',' if len(self.shape or ()) == 1 else ''}))"
        if self.items is not None:
            return f"{self.name}({self.items})"
        if self.fields:
            return f"{self.name}({', '.join(map(str, self.fields))})"
        return self.name


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column, tensor or parameter of a signature. `name` is None where it has only its place; `default` is
    a parameter's, None where it has none or that is null."""

    name: str | None
    type: ColumnType
    required: bool = True
    default: Json = None
    document: dict[str, Json] = {}
    """As MLmodel has it, for those who check by it."""

    def __str__(self) -> str:
        told = str(self.type) if self.name is None else f"{self.name}: {self.type}"
        return told if self.required else f"{told} (optional)"


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """What goes in, what comes out, and what may be said beside it; None where nothing is told of it."""

    inputs: tuple[Column, ...] | None = None
    outputs: tuple[Column, ...] | None = None
    params: tuple[Column, ...] | None = None


class Flavor(msgspec.Struct, frozen=True, kw_only=True):
    """A way to load the model, with what it takes, as MLmodel has it."""

    name: str
    details: dict[str, Json]


class MlModel(msgspec.Struct, frozen=True, kw_only=True):
    """A folder's MLmodel. `input_example` is a path in the folder, `size` in bytes, `created` as it is
    written; `run_id`, `model_id` and `path` say where it was logged. `environment` are the files in the
    folder that say what it needs, the one that is read first first. `metadata` is the author's own."""

    flavors: tuple[Flavor, ...]
    signature: Signature = Signature()
    run_id: str | None = None
    model_id: str | None = None
    uuid: str | None = None
    path: str | None = None
    created: str | None = None
    mlflow: str | None = None
    size: int | None = None
    input_example: str | None = None
    environment: tuple[str, ...] = ()
    metadata: dict[str, Json] = {}

    def flavor(self, name: str) -> Flavor | None:
        return next((flavor for flavor in self.flavors if flavor.name == name), None)

    @property
    def file(self) -> str | None:
        """The file in the folder that holds an estimator as a pickle, where there is one."""
        found = self.flavor(SKLEARN)
        named = None if found is None else found.details.get("pickled_model")
        return named if isinstance(named, str) else None
