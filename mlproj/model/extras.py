"""Which extra of mlproj brings what the addresses of some kind need."""

from __future__ import annotations

_EXTRAS = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gs",
    "gcs": "gs",
    "abfs": "azure",
    "abfss": "azure",
    "wasbs": "azure",
}


def brought_by(scheme: str) -> str | None:
    """How to get what a `scheme://` needs, in words; None where no extra brings it."""
    if scheme not in _EXTRAS:
        return None
    return f'`pip install "mlproj[{_EXTRAS[scheme]}]"` brings what `{scheme}://` needs'
