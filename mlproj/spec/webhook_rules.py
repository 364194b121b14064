"""What webhooks may be sent to, and how, as variables say it: those that MLflow's server has for it."""

from __future__ import annotations

from collections.abc import Mapping

from mlproj.errors import UsageError
from mlproj.model.webhooks import WebhookRules

KEY_VARIABLE = "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY"
_USUAL = WebhookRules()
_MOST = 3600


def read_rules(environ: Mapping[str, str], *, private: bool = False) -> WebhookRules:
    """The rules; `private` where a person said so. Raises UsageError."""
    schemes = {each.strip().lower() for each in environ.get("MLFLOW_WEBHOOK_ALLOWED_SCHEMES", "").split(",")}
    return WebhookRules(
        private=private or environ.get("MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "").lower() in ("true", "1"),
        http="http" in schemes,
        timeout_s=_whole(environ, "MLFLOW_WEBHOOK_REQUEST_TIMEOUT", int(_USUAL.timeout_s), least=1),
        retries=_whole(environ, "MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES", _USUAL.retries, least=0),
    )


def _whole(environ: Mapping[str, str], name: str, usual: int, *, least: int) -> int:
    text = environ.get(name) or str(usual)
    if not text.isascii() or not text.isdigit() or not least <= int(text[:9]) <= _MOST:
        raise UsageError(f"`{name}` is no whole number from {least} to {_MOST}: `{text[:50]}`")
    return int(text)
