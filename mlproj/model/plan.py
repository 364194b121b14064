"""Everything decided before anything runs. A plan is immutable, and its canonical form is its identity."""

from __future__ import annotations

import functools
from enum import Enum
from pathlib import Path

import msgspec

from mlproj.model.digest import Digest, Json, canonical, plain
from mlproj.model.project import ParameterType


class Origin(str, Enum):
    """Where a parameter's value came from."""

    GIVEN = "given"
    DEFAULT = "default"


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter bound to a value. `text` is what the script gets, byte for byte.

    A path that was found carries where (`located`) and relative to which folder (`base`: `caller`,
    `project` or `absolute`). `extra` marks one that the entry point does not declare.
    """

    name: str
    type: ParameterType
    text: str
    origin: Origin
    extra: bool = False
    secret: bool = False
    located: Path | None = None
    base: str | None = None

    @property
    def typed(self) -> str | int | float | bool:
        """The value in its type, where its text can be read so; else the text."""
        try:
            if self.type is ParameterType.INT:
                whole = int(self.text)
                return whole if abs(whole) <= LARGEST_INTEGER else self.text
            if self.type is ParameterType.FLOAT:
                number = float(self.text)
                return number if abs(number) < float("inf") else self.text
        except ValueError:
            return self.text
        if self.type is ParameterType.BOOL:
            return BOOLEANS.get(self.text.lower(), self.text)
        return self.text


LARGEST_INTEGER = 2**53 - 1
"""Beyond it JSON's numbers are not exact (RFC 8785, section 3.2.2.3)."""

BOOLEANS: dict[str, bool] = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


class PlanParameter(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter as it counts for the plan's identity.

    `text` is the spelling that the script receives, a path's being project-relative or `input:<name>`, and
    None for a secret, which identifies nothing.
    """

    name: str
    type: ParameterType
    text: str | None
    extra: bool = False


class PlanInput(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of data as it counts for the plan's identity: by its content."""

    name: str
    digest: Digest


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment. Two equal plans are the same experiment, on whatever machine and in whatever folder.

    `command` is the template; `outputs` and `metrics` are project-relative paths. `lock` is None where the
    environment's lock is not resolved yet, and the plan then has no identity.
    """

    snapshot: Digest
    subfolder: str
    entry_point: str
    command: str
    parameters: tuple[PlanParameter, ...]
    inputs: tuple[PlanInput, ...]
    outputs: tuple[str, ...]
    metrics: tuple[str, ...]
    timeout: float | None
    environment: str
    lock: Digest | None
    python: str | None
    platform: str
    variables: tuple[tuple[str, str], ...]

    def document(self) -> dict[str, Json]:
        """The plan as JSON: what its identity is the digest of."""
        return {"schema": "mlproj/experiment/1", **plain(self)}

    @property
    def identity(self) -> Digest | None:
        return None if self.lock is None else _identity(self)


@functools.lru_cache(maxsize=256)
def _identity(plan: Plan) -> Digest:
    """Kept for a while, since the same plan is asked for it again and again; equal plans have one."""
    return Digest.of(canonical(plan.document()))
