"""The options of `mlproj server`: those of `mlflow server` under their names, and some besides."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlproj.model.access import Level

BackendStoreUriOption = Annotated[
    str | None,
    typer.Option(
        metavar="URI",
        envvar=["MLPROJ_SERVER_BACKEND_STORE_URI", "MLFLOW_BACKEND_STORE_URI"],
        help="A store's folder, `sqlite:///…`, `postgresql://…` or `mysql://…`; else as commands find it.",
    ),
]
ArtifactsDestinationOption = Annotated[
    str | None,
    typer.Option(
        metavar="URI",
        envvar=["MLPROJ_SERVER_ARTIFACTS_DESTINATION", "MLFLOW_ARTIFACTS_DESTINATION"],
        help="Where artifacts and contents are kept; else in the store's folder.",
    ),
]
RegistryStoreUriOption = Annotated[
    str | None,
    typer.Option(
        metavar="URI",
        envvar="MLFLOW_REGISTRY_STORE_URI",
        help="The same as `--backend-store-uri`: models are registered where runs are.",
    ),
]
DefaultArtifactRootOption = Annotated[
    str | None,
    typer.Option(
        metavar="URI",
        envvar="MLFLOW_DEFAULT_ARTIFACT_ROOT",
        help="`mlflow-artifacts:/`, as it is without.",
    ),
]
ServeArtifactsOption = Annotated[
    bool,
    typer.Option(
        "--serve-artifacts/--no-serve-artifacts",
        envvar=["MLPROJ_SERVER_SERVE_ARTIFACTS", "MLFLOW_SERVE_ARTIFACTS"],
        help="Whether clients send artifacts through the server, or into folders that they share with it.",
    ),
]
HostOption = Annotated[
    str,
    typer.Option(
        "--host",
        "-h",
        metavar="HOST",
        envvar=["MLPROJ_SERVER_HOST", "MLFLOW_HOST"],
        help="The address to listen at; another machine's callers need `--auth`.",
    ),
]
PortOption = Annotated[
    int,
    typer.Option(
        "--port",
        "-p",
        envvar=["MLPROJ_SERVER_PORT", "MLFLOW_PORT"],
        min=0,
        max=65535,
        help="The port to listen at; 0 for a free one.",
    ),
]
WorkersOption = Annotated[
    int,
    typer.Option(
        "--workers",
        "-w",
        envvar=["MLPROJ_SERVER_WORKERS", "MLFLOW_WORKERS"],
        min=1,
        max=1000,
        help="How many processes answer.",
    ),
]
RootPathOption = Annotated[
    str,
    typer.Option(
        "--root-path",
        "--static-prefix",
        metavar="PATH",
        envvar=["MLPROJ_SERVER_ROOT_PATH", "MLFLOW_STATIC_PREFIX"],
        help="What a proxy in front has paths begin with, as `/tracking`.",
    ),
]
ForwardedAllowIpsOption = Annotated[
    str | None,
    typer.Option(
        metavar="LIST",
        envvar="MLPROJ_SERVER_FORWARDED_ALLOW_IPS",
        help="Addresses or networks of proxies whose X-Forwarded-For and -Proto are believed.",
    ),
]
AllowedHostsOption = Annotated[
    str | None,
    typer.Option(
        metavar="LIST",
        envvar=["MLPROJ_SERVER_ALLOWED_HOSTS", "MLFLOW_SERVER_ALLOWED_HOSTS"],
        help="Names to be called by, `*` for any characters; else this machine's and private addresses.",
    ),
]
CorsAllowedOriginsOption = Annotated[
    str | None,
    typer.Option(
        metavar="LIST",
        envvar=["MLPROJ_SERVER_CORS_ALLOWED_ORIGINS", "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"],
        help="Origins whose pages may call, as `https://app.example.org`; else this machine's.",
    ),
]
XFrameOptionsOption = Annotated[
    str,
    typer.Option(
        metavar="VALUE",
        envvar=["MLPROJ_SERVER_X_FRAME_OPTIONS", "MLFLOW_SERVER_X_FRAME_OPTIONS"],
        help="That header: SAMEORIGIN, DENY, or NONE for no header.",
    ),
]
DisableSecurityMiddlewareOption = Annotated[
    bool,
    typer.Option(
        "--disable-security-middleware",
        envvar="MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE",
        help="Let in every host and origin. Any page that somebody opens may then use the server.",
    ),
]
AuthOption = Annotated[
    bool | None,
    typer.Option(
        "--auth/--no-auth", envvar="MLPROJ_SERVER_AUTH", help="Ask callers for a user's name or a token."
    ),
]
AppNameOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="`basic-auth` is `--auth`.", hidden=True)
]
DefaultPermissionOption = Annotated[
    Level,
    typer.Option(
        envvar="MLPROJ_SERVER_DEFAULT_PERMISSION",
        help="What users may do with what nobody gave them rights to.",
    ),
]
AllowAnyoneOption = Annotated[
    bool,
    typer.Option("--allow-anyone", help="With `--no-auth`, listen at more than loopback all the same."),
]
SslCertfileOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", envvar="MLPROJ_SERVER_SSL_CERTFILE", help="Speak TLS with this certificate."
    ),
]
SslKeyfileOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", envvar="MLPROJ_SERVER_SSL_KEYFILE", help="Its key, where in another file."),
]
RateLimitOption = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBER/UNIT",
        envvar="MLPROJ_SERVER_RATE_LIMIT",
        help="Requests of one user, or address, in a second, minute or hour, as `6000/minute`.",
    ),
]
MaxRequestOption = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        envvar="MLPROJ_SERVER_MAX_REQUEST",
        help="The most that one request may hold, as `5GiB`; what is no upload, 32 MiB in any case.",
    ),
]
LogFormatOption = Annotated[
    str,
    typer.Option(
        metavar="text|json", envvar="MLPROJ_SERVER_LOG_FORMAT", help="How each request and event is told."
    ),
]
ExposePrometheusOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        envvar=["MLPROJ_SERVER_EXPOSE_PROMETHEUS", "MLFLOW_EXPOSE_PROMETHEUS"],
        help="Tell figures at `/metrics`, and keep them in this folder.",
    ),
]
WebhookAllowPrivateOption = Annotated[
    bool,
    typer.Option(
        "--webhook-allow-private",
        envvar=["MLPROJ_SERVER_WEBHOOK_ALLOW_PRIVATE", "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS"],
        help="Send webhooks to addresses of this machine and its network, too, and HTTP to this machine.",
    ),
]
GraceOption = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        envvar="MLPROJ_SERVER_GRACE",
        min=0.0,
        help="How long requests may take to end when the server does.",
    ),
]
