"""Numbers and lengths of time in the form in which people read them, on a terminal and on a page."""

from __future__ import annotations


def size(count: int) -> str:
    """`1.5 MB` for a number of bytes."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def duration(seconds: float) -> str:
    """`0.42 s`, `3 min 5 s`, `2 h 4 min` for a length of time."""
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def counted(number: int, thing: str, things: str | None = None) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {thing if number == 1 else things or thing + 's'}"


def number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
