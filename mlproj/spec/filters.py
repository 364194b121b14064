"""MLflow's filters and orders become a Search; every error says at which column, and what to write."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import msgspec

from mlproj.errors import UsageError
from mlproj.model.search import AllOf, Expression, Kind, Measured, Order, Search
from mlproj.spec.searchable import Subject

MOST_ORDERS = 20
"""A database joins so many tables, and not many more."""


class FieldOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A key to sort logged models by, as MLflow 3 writes it in JSON."""

    field_name: str
    ascending: bool = True
    dataset_name: str | None = None
    dataset_digest: str | None = None


def read_search(subject: Subject, filter: str, order_by: Sequence[str] = ()) -> Search:
    """What a person or a client asked for. Raises UsageError for whatever cannot be meant."""
    if len(order_by) > MOST_ORDERS:
        raise UsageError(
            f"things are sorted by at most {MOST_ORDERS} keys, and not by {len(order_by)}",
            hint="the first ones matter most",
        )
    where: Expression = _parser().read_filter(subject, filter) if filter else AllOf()
    return Search(where=where, order=_once([_read_order(subject, text) for text in order_by]))


def read_model_search(
    filter: str, order_by: Sequence[FieldOrder] = (), measured: Sequence[Measured] = ()
) -> Search:
    """A search for logged models: metrics count on the `measured` datasets alone, where there are any.

    Raises UsageError.
    """
    search = read_search(Subject.LOGGED_MODELS, filter)
    if len(order_by) > MOST_ORDERS or len(measured) > MOST_ORDERS:
        raise UsageError(f"models are sorted by at most {MOST_ORDERS} keys, on as many datasets")
    order = _once([_field_order(field) for field in order_by])
    return Search(where=search.where, order=order, measured=tuple(measured))


def _read_order(subject: Subject, text: str) -> Order:
    order: Order = _parser().read_order(subject, text)
    return order


def _field_order(field: FieldOrder) -> Order:
    order = _read_order(Subject.LOGGED_MODELS, _quoted(field.field_name))
    on = None
    if field.dataset_name:
        on = Measured(dataset_name=field.dataset_name, dataset_digest=field.dataset_digest or None)
    elif field.dataset_digest:
        raise UsageError("a dataset's digest was given without its name", hint="give `dataset_name` too")
    if on is not None and order.key.kind is not Kind.METRIC:
        raise UsageError(f"`{order.key.name}` is not measured on a dataset", hint="metrics are")
    return Order(key=order.key, descending=not field.ascending, on=on)


def _quoted(field: str) -> str:
    """The field as a filter spells it: MLflow 3 puts no quotes round what follows the first dot."""
    if "`" in field or '"' in field:
        return field
    prefix, dot, name = field.strip().partition(".")
    return f"{prefix}.`{name}`" if dot else f"`{prefix}`"


def _once(orders: Sequence[Order]) -> tuple[Order, ...]:
    """Refuses a key that is named twice, as MLflow does."""
    seen = set()
    for order in orders:
        if (order.key, order.on) in seen:
            raise UsageError(f"`{order.key.name}` is sorted by twice", hint="name it once")
        seen.add((order.key, order.on))
    return tuple(orders)


def _parser() -> Any:
    # Most searches have neither filter nor order, and lark takes longer to import than they take.
    return importlib.import_module("mlproj.spec.filter_parser")
