"""Pictures, pixel by pixel, where Pillow is installed."""

from __future__ import annotations

import io
import warnings
from importlib import import_module
from typing import Any

from mlproj.compare.judgement import Judgement, Likeness, unknown
from mlproj.model.tolerance import Tolerance

_BRIGHTEST = 255


def compare_png(expected: bytes, found: bytes, tolerance: Tolerance) -> Judgement | None:
    """A channel of a pixel may be off by the share of its range, or by the absolute steps, of the tolerance.

    None where one of the two is no picture.
    """
    try:
        image: Any = import_module("PIL.Image")
        chops: Any = import_module("PIL.ImageChops")
    except ImportError:
        return unknown("PNG", "`pip install mlproj[compare]` brings what reads it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            before, after = (image.open(io.BytesIO(content)).convert("RGBA") for content in (expected, found))
    except (OSError, ValueError, SyntaxError, Warning, image.DecompressionBombError):
        return None
    if before.size != after.size:
        sizes = (f"{picture.width} x {picture.height}" for picture in (after, before))
        return _told(Likeness.DIFFERENT, "it is {} pixels instead of {}".format(*sizes))
    apart = chops.difference(before, after).split()
    most = max(band.getextrema()[1] for band in apart)
    if most == 0:
        return _told(Likeness.SAME, "the same pixels, stored differently")
    most_of_pixel = apart[0]
    for band in apart[1:]:
        most_of_pixel = chops.lighter(most_of_pixel, band)
    off = before.width * before.height - most_of_pixel.histogram()[0]
    why = f"{off} of {before.width * before.height} pixels differ, at most by {most} of {_BRIGHTEST}"
    within = most <= max(tolerance.relative * _BRIGHTEST, tolerance.absolute)
    return _told(Likeness.CLOSE if within else Likeness.DIFFERENT, why)


def _told(likeness: Likeness, why: str) -> Judgement:
    return Judgement(likeness=likeness, notation="PNG", why=why)
