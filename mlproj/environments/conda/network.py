"""rattler's client and configuration: mirrors, proxies and certificates as the person has set them."""

from __future__ import annotations

import os

import rattler

from mlproj.environments.conda.orders import Network
from mlproj.version import __version__


def rattler_config(network: Network) -> rattler.Config:
    """What rattler's own files say, and on top of that what `.condarc` does. Raises rattler's ConfigError.

    Certificates count for all that this process does from then on.
    """
    if network.certificates is not None:
        # No key of rattler's takes certificates; these variables say where it looks for the system's.
        kind = "SSL_CERT_DIR" if os.path.isdir(network.certificates) else "SSL_CERT_FILE"
        os.environ[kind] = network.certificates
    config = rattler.Config.load_from_locations([(file, True) for file in network.files])
    for key, value in network.settings:
        config.set(key, value)
    return config


def client(config: rattler.Config) -> rattler.Client:
    """One that has credentials where rattler keeps them, and in `.netrc`."""
    return rattler.Client.from_config(config, user_agent=f"mlproj/{__version__}")
