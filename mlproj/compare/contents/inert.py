"""Reads pickles into objects that do nothing: of the classes that they name none is imported or run.

Joblib's files are pickles with the bytes of arrays in between, each after the object that describes it:
`joblib.numpy_pickle.NumpyArrayWrapper.read_array` says how they are read.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from typing import Any, ClassVar

_ITEM = re.compile(r"([biufcmMSUV])(\d+)")
_WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
_DTYPE = "numpy.dtype"
_HEAVIEST = 1_000_000
"""Tuples that a tuple may hold, those in it and all of theirs, each as often as it stands there."""
_RECONSTRUCT = re.compile(r"numpy\.(core|_core)\.multiarray\._reconstruct")
_SCALAR = re.compile(r"numpy\.(core|_core)\.multiarray\.scalar")


class Inert:
    """Stands for an object of the class, or the answer of the function, that is called `name`."""

    name: ClassVar[str] = ""
    arguments: tuple[Any, ...]
    state: Any
    items: list[Any]

    def __new__(cls, *arguments: Any, **keywords: Any) -> Inert:
        made = object.__new__(cls)
        made.arguments = (*arguments, *sorted(keywords.items()))
        made.state = None
        made.items = []
        return made

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items.append((key, value))

    def append(self, value: Any) -> None:
        self.items.append(value)

    def extend(self, values: Any) -> None:
        self.items.extend(values)

    add = append

    @property
    def parts(self) -> dict[str, Any]:
        """What it is made of, by name."""
        given = {f"argument {number}": value for number, value in enumerate(self.arguments, start=1)}
        held = {f"item {number}": value for number, value in enumerate(self.items, start=1)}
        named = self.state if isinstance(self.state, dict) else {"state": self.state}
        return {**given, **{str(name): value for name, value in named.items()}, **held}


class Array:
    """The elements of an array as they lie in memory; `type` is NumPy's word for theirs, such as `<f8`."""

    def __init__(self, type_: str, shape: tuple[int, ...], content: bytes) -> None:
        self.type = type_
        self.shape = shape
        self.content = content


def read_pickle(content: bytes) -> Any:
    """The one object in a pickle, or in a file of joblib's. Raises ValueError where it is none to its end."""
    stream = io.BytesIO(content)
    try:
        found = _Reader(stream).load()
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except Exception as error:
        raise ValueError(f"it is no pickle: {error}") from error
    if stream.read(1):
        raise ValueError("something follows the pickle")
    return found


def as_array(found: Any) -> Array | None:
    """The array that an object is, None where it is none of plain elements."""
    if isinstance(found, Array):
        return found
    if not isinstance(found, Inert):
        return None
    if _RECONSTRUCT.fullmatch(found.name) and isinstance(found.state, tuple) and len(found.state) == 5:
        _, shape, kind, _, content = found.state
    elif _SCALAR.fullmatch(found.name) and len(found.arguments) == 2:
        (kind, content), shape = found.arguments, ()
    else:
        return None
    if isinstance(content, str):  # bytes, as Python 2 or protocol 2 have them
        content = content.encode("latin-1", "replace")
    type_ = _type(kind)
    return Array(type_, shape, content) if type_ is not None and isinstance(content, bytes) else None


def _type(kind: Any) -> str | None:
    if not isinstance(kind, Inert) or kind.name != _DTYPE or not kind.arguments:
        return None
    order = kind.state[1] if isinstance(kind.state, tuple) and len(kind.state) > 1 else "|"
    code = kind.arguments[0]
    return f"{order}{code}" if isinstance(code, str) and _ITEM.fullmatch(code) else None


_Unpickler: Any = vars(pickle)["_Unpickler"]


class _Reader(_Unpickler):  # type: ignore[misc]  # the standard library types only the one written in C
    """The unpickler that is written in Python, whose steps can be seen to; joblib builds on it, too."""

    dispatch: ClassVar[dict[int, Any]] = dict(_Unpickler.dispatch)

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream, encoding="latin-1")
        self._stream = stream
        self._classes: dict[str, type[Inert]] = {}
        self._weights: dict[int, tuple[Any, int]] = {}

    def find_class(self, module: str, name: str) -> type[Inert]:
        whole = f"{module}.{name}"
        if whole not in self._classes:
            self._classes[whole] = type("Inert", (Inert,), {"name": whole})
        return self._classes[whole]

    def get_extension(self, code: int) -> None:
        self.append(self.find_class("copyreg", f"extension {code}")())

    def persistent_load(self, identifier: Any) -> Inert:
        return self.find_class("persistent", "object")(identifier)

    def load_bytearray8(self) -> None:
        size = int.from_bytes(self.read(8), "little")
        content = self.read(min(size, len(self._stream.getbuffer())))
        self.append(bytes(content))

    def load_tuple(self) -> None:
        super().load_tuple()
        self._weigh()

    def load_tuple1(self) -> None:
        super().load_tuple1()
        self._weigh()

    def load_tuple2(self) -> None:
        super().load_tuple2()
        self._weigh()

    def load_tuple3(self) -> None:
        super().load_tuple3()
        self._weigh()

    def load_frozenset(self) -> None:
        super().load_frozenset()
        self._weigh()

    def _weigh(self) -> None:
        """A tuple that holds a tuple twice, and so on, is small, and yet whoever hashes or prints it goes
        through all that it would hold if it were written out."""
        made = self.stack[-1]
        weight = 1 + sum(self._weights[id(part)][1] for part in made if id(part) in self._weights)
        if weight > _HEAVIEST:
            raise ValueError("it says the same over and over")
        self._weights[id(made)] = made, weight

    def load_build(self) -> None:
        super().load_build()
        built = self.stack[-1]
        if isinstance(built, Inert) and built.name == _WRAPPER:
            self.stack[-1] = self._read_array(built.state)

    def _read_array(self, state: dict[str, Any]) -> Any:
        type_ = _type(state["dtype"])
        if type_ is None:  # of objects: a pickle of its own
            return _Reader(self._stream).load()
        if state.get("numpy_array_alignment_bytes") is not None:
            self._stream.read(self._stream.read(1)[0])
        item = _ITEM.search(type_)
        assert item is not None
        width = int(item[2]) * (4 if item[1] == "U" else 1)
        size = math.prod(state["shape"]) * width
        content = self._stream.read(size)
        if len(content) != size:
            raise ValueError("an array is cut short")
        return Array(type_, tuple(state["shape"]), content)

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.TUPLE[0]] = load_tuple
    dispatch[pickle.TUPLE1[0]] = load_tuple1
    dispatch[pickle.TUPLE2[0]] = load_tuple2
    dispatch[pickle.TUPLE3[0]] = load_tuple3
    dispatch[pickle.FROZENSET[0]] = load_frozenset
