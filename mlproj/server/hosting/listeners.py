"""Sockets that listen at an address, or one clear sentence why they cannot."""

from __future__ import annotations

import errno
import ipaddress
import socket
import ssl
from pathlib import Path

import msgspec

from mlproj.errors import UsageError
from mlproj.server.doorway import prepared

_BACKLOG = 2048
_NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)

Found = tuple[socket.AddressFamily, str]


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What a server shows to be believed: PEM files; the key may be in the certificate's."""

    file: Path
    key: Path | None = None
    password: str | None = None

    def context(self) -> ssl.SSLContext:
        """What makes connections of it. Raises UsageError where that cannot be."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        names = f"`{self.file}`" if self.key is None else f"`{self.file}` with the key `{self.key}`"
        try:
            # Without a password for a key that has one, OpenSSL would ask the terminal.
            made.load_cert_chain(self.file, self.key, self.password or "")
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise UsageError(
                f"the certificate {names} cannot be used: {why}",
                hint="`--ssl-certfile` takes a chain in PEM, `--ssl-keyfile` the first one's key",
            ) from error
        return made


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there. Raises UsageError for no address of it."""
    return all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for _, address in _found(host))


def listening(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen at every address that `host` stands for, at a free port of the system's choice
    where `port` is 0. Raises UsageError where there is none to be had."""
    listeners: list[socket.socket] = []
    try:
        for family, address in _found(host):
            try:
                listener = _opened(family, address, port)
            except OSError as error:
                if error.errno in _NO_SUCH_ADDRESS and listeners:
                    continue  # a name that stands for an IPv6 address too, on a machine without IPv6
                raise _refused(host, port, error) from error
            listeners.append(listener)
            port = listener.getsockname()[1]
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _found(host: str) -> list[Found]:
    try:
        told = socket.getaddrinfo(host or None, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise UsageError(
            f"`{host}` is no address of this machine: {error}", hint="`--host 127.0.0.1` is for this machine"
        ) from error
    return list(dict.fromkeys((family, str(where[0])) for family, _, _, _, where in told))


def _opened(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
        return prepared(listener)
    except BaseException:
        listener.close()
        raise


def _refused(host: str, port: int, error: OSError) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        return UsageError(
            f"port {port} of `{host}` is taken: another program listens there",
            hint="name another with `--port`, or end that program",
        )
    if error.errno == errno.EACCES:
        return UsageError(
            f"port {port} of `{host}` is not for this user: {error.strerror}",
            hint="name one from 1024 on with `--port`",
        )
    return UsageError(f"nobody can listen at port {port} of `{host}`: {error.strerror}")
