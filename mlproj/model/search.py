"""A search as a value: which things, in which order. Read from MLflow's filter grammar by `spec.filters`."""

from __future__ import annotations

from enum import Enum

import msgspec


class Kind(str, Enum):
    """What a key belongs to."""

    ATTRIBUTE = "attribute"
    METRIC = "metric"
    PARAM = "param"
    TAG = "tag"
    DATASET = "dataset"
    METADATA = "metadata"
    """Of traces: like tags, but set once."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """The left side of a comparison. Attributes are spelt as in MLflow's documentation (`start_time`)."""

    kind: Kind
    name: str


class Operator(str, Enum):
    """The comparisons, as they are written; LIKE minds case, ILIKE does not, `%` and `_` are wild in both."""

    EQUAL = "="
    UNEQUAL = "!="
    LESS = "<"
    LESS_EQUAL = "<="
    GREATER = ">"
    GREATER_EQUAL = ">="
    LIKE = "LIKE"
    ILIKE = "ILIKE"
    IN = "IN"
    NOT_IN = "NOT IN"
    IS_NULL = "IS NULL"
    IS_NOT_NULL = "IS NOT NULL"


class Comparison(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`key operator values`: one value, none for IS NULL, several for IN. A number was not in quotes."""

    key: Key
    operator: Operator
    values: tuple[str | float, ...] = ()


class AllOf(msgspec.Struct, frozen=True, tag=True):
    """Every one of these holds; all things where there are none."""

    of: tuple[Expression, ...] = ()


class AnyOf(msgspec.Struct, frozen=True, tag=True):
    """At least one of these holds."""

    of: tuple[Expression, ...] = ()


Expression = Comparison | AllOf | AnyOf


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The dataset that a logged model's metric was measured on; of any digest where none is named."""

    dataset_name: str
    dataset_digest: str | None = None


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A key to sort by; of a metric, on one dataset only where `on` names it."""

    key: Key
    descending: bool = False
    on: Measured | None = None


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """Which things, sorted how (after `order` comes the kind's own order).

    With `measured`, metrics of logged models count on these datasets alone, and models without any do not.
    """

    where: Expression = AllOf()
    order: tuple[Order, ...] = ()
    measured: tuple[Measured, ...] = ()
