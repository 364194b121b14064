"""Entry points and their parameters, out of the MLproject's mapping."""

from __future__ import annotations

from mlproj.errors import SpecError, UsageError, did_you_mean
from mlproj.model.fitting import misfit
from mlproj.model.project import EntryPoint, Finding, Location, Parameter, ParameterType
from mlproj.model.tolerance import Named, read_tolerance
from mlproj.spec.documents import Entry, Listing, Node, Scalar, Table, failure, is_null, printed
from mlproj.spec.duration import seconds
from mlproj.spec.fields import finding_of, kind, text, texts, unknown_keys, warning

ENTRY_POINT_KEYS = (
    "parameters",
    "command",
    "description",
    "inputs",
    "outputs",
    "metrics",
    "timeout",
    "reproduce",
)
REPRODUCE_KEYS = ("tolerance",)
OUTPUT_KEYS = ("path", "model")
PARAMETER_KEYS = ("type", "default", "description", "choices", "secret")

_TYPES: dict[str, ParameterType] = {
    **{kind.value: kind for kind in ParameterType},
    "str": ParameterType.STRING,
    "integer": ParameterType.INT,
    "number": ParameterType.FLOAT,
    "double": ParameterType.FLOAT,
    "boolean": ParameterType.BOOL,
}


Unreadable = tuple[str, Finding]


def read(entry: Entry, findings: list[Finding]) -> tuple[EntryPoint | Unreadable, ...]:
    """The entry points in the MLproject's `entry_points`, one that cannot be read as the reason why.

    Raises SpecError where they are no mapping.
    """
    if is_null(entry.value):
        findings.append(warning("`entry_points` is empty: nothing can be run by name", entry.location))
        return ()
    if not isinstance(entry.value, Table):
        raise failure(f"`entry_points` must be a mapping, not {kind(entry.value)}", entry.location)
    return tuple(_readable(item, findings) for item in entry.value.entries)


def _readable(entry: Entry, findings: list[Finding]) -> EntryPoint | Unreadable:
    try:
        return _entry_point(entry, findings)
    except SpecError as error:
        finding = finding_of(error, entry.location.file)
        findings.append(finding)
        return entry.key, finding


def _entry_point(entry: Entry, findings: list[Finding]) -> EntryPoint:
    table = entry.value
    if not isinstance(table, Table):
        message = f"entry point `{entry.key}` must be a mapping with a `command`, not {kind(table)}"
        raise failure(message, entry.location)
    where = f"entry_points.{entry.key}"
    findings.extend(unknown_keys(table, ENTRY_POINT_KEYS, f"entry point `{entry.key}`"))
    written = table.find("command")
    command = text(table, "command", f"{where}.command")
    if command is None or written is None:
        message = f"entry point `{entry.key}` has no `command`"
        raise failure(message, entry.location, _instead(table))
    outputs = _outputs(table.find("outputs"), f"{where}.outputs", findings)
    return EntryPoint(
        name=entry.key,
        command=command,
        parameters=_parameters(table.find("parameters"), where, findings),
        inputs=texts(table, "inputs", f"{where}.inputs"),
        outputs=tuple(path for path, _ in outputs),
        models=tuple(path for path, is_model in outputs if is_model),
        metrics=texts(table, "metrics", f"{where}.metrics"),
        timeout=_timeout(table.find("timeout"), where),
        tolerances=tolerances(table.find("reproduce"), f"{where}.reproduce", findings),
        description=text(table, "description", f"{where}.description"),
        location=entry.location,
        command_location=written.location,
    )


def _outputs(entry: Entry | None, where: str, findings: list[Finding]) -> tuple[tuple[str, bool], ...]:
    """Each output, and whether it is a model: a path alone, or a mapping with `path` and `model: true`."""
    if entry is None or is_null(entry.value):
        return ()
    items = entry.value.items if isinstance(entry.value, Listing) else (entry.value,)
    return tuple(_output(item, where, findings) for item in items)


def _output(item: Node, where: str, findings: list[Finding]) -> tuple[str, bool]:
    if isinstance(item, Scalar) and not is_null(item):
        return printed(item), False
    if not isinstance(item, Table):
        message = f"an item of `{where}` must be a path, or a mapping with one, not {kind(item)}"
        raise failure(message, item.location, "such as `{path: model.joblib, model: true}`")
    findings.extend(unknown_keys(item, OUTPUT_KEYS, f"an item of `{where}`"))
    path = text(item, "path", f"{where}.path")
    if path is None:
        raise failure(f"an item of `{where}` has no `path`", item.location)
    return path, _flag(item, "model", f"`{where}`")


def _instead(table: Table) -> str | None:
    strangers = [entry.key for entry in table.entries if entry.key not in ENTRY_POINT_KEYS]
    near = did_you_mean("command", strangers)
    return near and near.replace("did you mean", "`command` is written").replace("?", "")


def _timeout(entry: Entry | None, where: str) -> float | None:
    if entry is None or is_null(entry.value):
        return None
    if not isinstance(entry.value, Scalar):
        raise failure(f"`{where}.timeout` must be a length of time, not {kind(entry.value)}", entry.location)
    try:
        return seconds(entry.value.text)
    except UsageError as error:
        raise failure(f"`{where}.timeout`: {error.message}", entry.location, error.hint) from error


def tolerances(entry: Entry | None, where: str, findings: list[Finding]) -> tuple[Named, ...]:
    """What `reproduce:` says of how far metrics and outputs may be from those of an earlier run.

    Raises SpecError.
    """
    if entry is None or is_null(entry.value):
        return ()
    if not isinstance(entry.value, Table):
        message = f"`{where}` must be a mapping, not {kind(entry.value)}"
        raise failure(message, entry.location, "such as `reproduce: {tolerance: {rmse: 1%}}`")
    findings.extend(unknown_keys(entry.value, REPRODUCE_KEYS, f"`{where}`"))
    sizes = entry.value.find("tolerance")
    if sizes is None or is_null(sizes.value):
        return ()
    if isinstance(sizes.value, Scalar):
        return (_tolerance("*", sizes, f"{where}.tolerance"),)
    if not isinstance(sizes.value, Table):
        raise failure(f"`{where}.tolerance` must be a size or a mapping of names to sizes", sizes.location)
    return tuple(_tolerance(item.key, item, f"{where}.tolerance.{item.key}") for item in sizes.value.entries)


def _tolerance(name: str, entry: Entry, where: str) -> Named:
    if not isinstance(entry.value, Scalar) or is_null(entry.value):
        raise failure(f"`{where}` must be a size, not {kind(entry.value)}", entry.location)
    try:
        return Named(name=name, tolerance=read_tolerance(entry.value.text))
    except UsageError as error:
        raise failure(f"`{where}`: {error.message}", entry.location, error.hint) from error


def _parameters(entry: Entry | None, where: str, findings: list[Finding]) -> tuple[Parameter, ...]:
    if entry is None or is_null(entry.value):
        return ()
    if not isinstance(entry.value, Table):
        message = f"`{where}.parameters` must be a mapping, not {kind(entry.value)}"
        raise failure(message, entry.location)
    return tuple(_parameter(item, findings) for item in entry.value.entries)


def _parameter(entry: Entry, findings: list[Finding]) -> Parameter:
    node = entry.value
    if isinstance(node, Scalar) and node.kind == "str":
        return Parameter(
            name=entry.key,
            type=_type(node.text, entry, node.location, findings),
            declared_type=node.text,
            location=entry.location,
        )
    if not isinstance(node, Table):
        message = f"parameter `{entry.key}` must be a type or a mapping, not {kind(node)}"
        raise failure(message, entry.location, _as_default(entry.key, node))
    return _described(entry, node, findings)


def _as_default(name: str, node: Node) -> str:
    if isinstance(node, Scalar) and not is_null(node):
        return f"for a default, write `{name}: {{type: {node.kind}, default: {node.text}}}`"
    return f"such as `{name}: float`, or `{name}: {{type: float, default: 0.5}}`"


def _described(entry: Entry, table: Table, findings: list[Finding]) -> Parameter:
    where = f"parameter `{entry.key}`"
    findings.extend(unknown_keys(table, PARAMETER_KEYS, where))
    choices = texts(table, "choices", f"choices of {where}")
    declared, type_ = _declared_type(entry, table, bool(choices), findings)
    if type_ is ParameterType.CHOICE and not choices:
        message = f"{where} is a choice, and names no `choices`"
        raise failure(message, entry.location, "add `choices: [first, second]`")
    parameter = Parameter(
        name=entry.key,
        type=type_,
        declared_type=declared,
        default=_default(table),
        description=text(table, "description", f"description of {where}"),
        choices=choices,
        secret=_flag(table, "secret", where),
        location=entry.location,
    )
    findings.extend(_unfitting(parameter))
    return parameter


def _declared_type(
    entry: Entry, table: Table, choices: bool, findings: list[Finding]
) -> tuple[str, ParameterType]:
    written = table.find("type")
    if written is None or is_null(written.value):
        absent = ParameterType.CHOICE if choices else ParameterType.STRING
        return absent.value, absent
    declared = printed(written.value)
    return declared, _type(declared, entry, written.location, findings)


def _type(declared: str, entry: Entry, location: Location, findings: list[Finding]) -> ParameterType:
    known = _TYPES.get(declared)
    if known is not None:
        return known
    hint = did_you_mean(declared.lower(), _TYPES)
    if declared.startswith("type:"):
        hint = "write `type: " + declared[5:].strip() + "`, with a blank after the colon"
    message = f"`{declared}` is no type that anybody knows; parameter `{entry.key}` is read as a string"
    findings.append(warning(message, location, hint))
    return ParameterType.STRING


def _default(table: Table) -> str | None:
    entry = table.find("default")
    return None if entry is None or is_null(entry.value) else printed(entry.value)


def _flag(table: Table, key: str, where: str) -> bool:
    entry = table.find(key)
    if entry is None or is_null(entry.value):
        return False
    if not isinstance(entry.value, Scalar) or entry.value.kind != "bool":
        raise failure(f"`{key}` of {where} must be true or false", entry.location)
    return printed(entry.value) == "True"


def _unfitting(parameter: Parameter) -> tuple[Finding, ...]:
    if parameter.default is None:
        return ()
    expected = misfit(parameter, parameter.default)
    if expected is None:
        return ()
    shown = f"the default of `{parameter.name}`, `{parameter.default[:60]}`,"
    message = f"{shown} is not {expected}; it runs as written"
    return (warning(message, parameter.location),)
