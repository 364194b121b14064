"""Which part of a file a client asks for, as HTTP says it (RFC 9110, section 14)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mlproj.server.failures import Failure

_RANGE = re.compile(r"bytes=[ \t]*(?P<first>[0-9]{0,18})-(?P<last>[0-9]{0,18})[ \t]*", re.ASCII)


class Unsatisfiable(Failure):
    """A part of a file that it does not have: the answer tells how long the file is."""

    def __init__(self, size: int) -> None:
        super().__init__("INVALID_PARAMETER_VALUE", f"the file has {size} bytes, and none of that range", 416)
        self.headers = {"content-range": f"bytes */{size}"}


def wanted(headers: Mapping[str, str], size: int) -> range | None:
    """The bytes that these headers ask for, of a file of `size` bytes; None where all of it is to be sent.

    Several ranges, another unit and what cannot be read are answered with the whole file, as HTTP allows; so
    is `If-Range`, since files have no tags that it could name. Raises Unsatisfiable.
    """
    asked = _RANGE.fullmatch(headers.get("range", ""))
    if asked is None or "if-range" in headers or not (asked["first"] or asked["last"]):
        return None
    if not asked["first"]:
        # The last so many bytes.
        first, stop = max(0, size - int(asked["last"])), size
    else:
        first = int(asked["first"])
        stop = min(size, int(asked["last"]) + 1) if asked["last"] else size
        if asked["last"] and int(asked["last"]) < first:
            return None
    if first >= stop:
        raise Unsatisfiable(size)
    return range(first, stop)
