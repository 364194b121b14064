"""`mlproj server`: one history for several people and their jobs, kept at an address."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import typer

from mlproj import server_wiring, wiring
from mlproj.cli.server_options import (
    AllowAnyoneOption,
    AllowedHostsOption,
    AppNameOption,
    ArtifactsDestinationOption,
    AuthOption,
    BackendStoreUriOption,
    CorsAllowedOriginsOption,
    DefaultArtifactRootOption,
    DefaultPermissionOption,
    DisableSecurityMiddlewareOption,
    ExposePrometheusOption,
    ForwardedAllowIpsOption,
    GraceOption,
    HostOption,
    LogFormatOption,
    MaxRequestOption,
    PortOption,
    RateLimitOption,
    RegistryStoreUriOption,
    RootPathOption,
    ServeArtifactsOption,
    SslCertfileOption,
    SslKeyfileOption,
    WebhookAllowPrivateOption,
    WorkersOption,
    XFrameOptionsOption,
)
from mlproj.errors import UsageError
from mlproj.model.access import Level
from mlproj.server.access import Application
from mlproj.server.hosting.host import Hosting, serve
from mlproj.server.hosting.listeners import Certificate, is_loopback
from mlproj.server.hosting.rules import Rate, Rules
from mlproj.server.hosting.worker import Door, Opened
from mlproj.settings import size_of
from mlproj.store_ports import RunStore

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_RATE = re.compile(r"(?P<requests>[1-9][0-9]{0,8})/(?P<unit>s|second|m|minute|h|hour)", re.ASCII)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_PREFIX = re.compile(r"(?:/[\w.~\-]+)+", re.ASCII)
_PROXIED = "mlflow-artifacts:"


@app.command(context_settings={"help_option_names": ["--help"]})
def server(
    backend_store_uri: BackendStoreUriOption = None,
    artifacts_destination: ArtifactsDestinationOption = None,
    registry_store_uri: RegistryStoreUriOption = None,
    default_artifact_root: DefaultArtifactRootOption = None,
    serve_artifacts: ServeArtifactsOption = True,
    host: HostOption = "127.0.0.1",
    port: PortOption = 5000,
    workers: WorkersOption = 4,
    root_path: RootPathOption = "",
    forwarded_allow_ips: ForwardedAllowIpsOption = None,
    allowed_hosts: AllowedHostsOption = None,
    cors_allowed_origins: CorsAllowedOriginsOption = None,
    x_frame_options: XFrameOptionsOption = "SAMEORIGIN",
    disable_security_middleware: DisableSecurityMiddlewareOption = False,
    auth: AuthOption = None,
    app_name: AppNameOption = None,
    default_permission: DefaultPermissionOption = Level.NONE,
    allow_anyone: AllowAnyoneOption = False,
    ssl_certfile: SslCertfileOption = None,
    ssl_keyfile: SslKeyfileOption = None,
    rate_limit: RateLimitOption = None,
    max_request: MaxRequestOption = None,
    log_format: LogFormatOption = "text",
    expose_prometheus: ExposePrometheusOption = None,
    webhook_allow_private: WebhookAllowPrivateOption = False,
    grace: GraceOption = 10.0,
) -> int:
    """Keep one history for several people and their jobs, as a tracking server for MLflow's clients.

    Ends on SIGTERM or Ctrl-C once what is in flight has been answered; a second one ends it at once. What is
    not one of the options of `mlflow server` here is not there.
    """
    if registry_store_uri not in (None, backend_store_uri):
        raise UsageError("models are registered where runs are", hint="leave `--registry-store-uri` away")
    if default_artifact_root is not None and not default_artifact_root.startswith(_PROXIED):
        raise UsageError(
            f"artifacts go to `{_PROXIED}/`, through the server, and not to `{default_artifact_root}`",
            hint="`--artifacts-destination` says where it keeps them",
        )
    asked = _is_asked(auth, app_name)
    _refuse_strangers(host, asked, allow_anyone=allow_anyone)
    hosting = Hosting(
        host=host,
        port=port,
        workers=workers,
        certificate=_certificate(ssl_certfile, ssl_keyfile),
        proxied=serve_artifacts,
        grace_s=grace,
        log_json=_is_json(log_format),
        rules=Rules(
            hosts=_listed(allowed_hosts),
            origins=_listed(cors_allowed_origins),
            frame=_frame(x_frame_options),
            checked=not disable_security_middleware,
            prefix=_prefix(root_path),
            forwarded_by=forwarded_allow_ips,
            most_bytes=None if max_request is None else size_of("--max-request", max_request),
            rate=None if rate_limit is None else _rate(rate_limit),
            metrics=expose_prometheus,
        ),
    )
    entrance = partial(_entrance, default_permission if asked else None)
    pages = partial(server_wiring.add_pages, environ=os.environ)
    opened = partial(_opened, backend_store_uri, artifacts_destination, webhook_allow_private)
    serve(hosting, opened, pages, entrance)
    return 0


@contextlib.contextmanager
def _opened(backend_uri: str | None, destination: str | None, private: bool) -> Iterator[Opened]:
    """The store that is served, for one process."""
    store = wiring.open_served(backend_uri, destination, os.environ, wiring.current_folder())
    with (
        contextlib.closing(store),
        contextlib.closing(wiring.tracking_of(store)) as tracking,
        contextlib.closing(server_wiring.telling_of(store, os.environ, private=private)) as telling,
    ):
        artifacts = wiring.artifacts_of(store)
        yield Opened(store=store, tracking=tracking, artifacts=artifacts, telling=telling)


@contextlib.contextmanager
def _entrance(
    default: Level | None, store: RunStore, app: Application, unexpected: Callable[[Exception], None]
) -> Iterator[Application]:
    """The application behind what asks callers who they are, or nobody where there is no `default`, for one
    process."""
    door: Door = (
        server_wiring.open_entrance_for(store, app)
        if default is None
        else server_wiring.entrance_for(store, app, default=default, unexpected=unexpected)
    )
    with contextlib.closing(door):
        yield door


def _is_asked(auth: bool | None, app_name: str | None) -> bool | None:
    """Whether callers are asked who they are; None where nobody said so or otherwise."""
    if app_name is None:
        return auth
    if app_name != "basic-auth":
        raise UsageError(f"there is no application `{app_name}`", hint="`--auth` asks callers who they are")
    return True


def _refuse_strangers(host: str, asked: bool | None, *, allow_anyone: bool) -> None:
    """Raises UsageError where whoever reaches this machine could do anything, unless that is said twice."""
    if asked or is_loopback(host) or (asked is False and allow_anyone):
        return
    raise UsageError(
        f"at `{host}` other machines reach the server, and any of them could change and delete everything",
        hint="`--auth` asks who calls; `--no-auth --allow-anyone` says that anyone may",
    )


def _certificate(file: Path | None, key: Path | None) -> Certificate | None:
    if file is None:
        if key is not None:
            raise UsageError("a key is nothing without its certificate", hint="name it with `--ssl-certfile`")
        return None
    return Certificate(file=file, key=key)


def _listed(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(filter(None, (item.strip() for item in text.split(","))))


def _frame(text: str) -> str | None:
    chosen = text.upper()
    if chosen not in ("SAMEORIGIN", "DENY", "NONE"):
        raise UsageError(f"`{text}` is no X-Frame-Options", hint="SAMEORIGIN, DENY or NONE")
    return None if chosen == "NONE" else chosen


def _prefix(text: str) -> str:
    prefix = text.rstrip("/")
    if prefix and not _PREFIX.fullmatch(prefix):
        raise UsageError(f"`{text}` is no beginning of a path", hint="such as `/tracking`")
    return prefix


def _rate(text: str) -> Rate:
    found = _RATE.fullmatch(text)
    if found is None:
        raise UsageError(f"`{text}` is no rate", hint="such as `100/second` or `6000/minute`")
    return Rate(requests=int(found["requests"]), seconds=_SECONDS[found["unit"][0]])


def _is_json(text: str) -> bool:
    if text not in ("text", "json"):
        raise UsageError(f"there is no log format `{text}`", hint="text or json")
    return text == "json"
