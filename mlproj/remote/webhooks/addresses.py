"""Which addresses a server may be made to call: those of the outside world, and no others unless told."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_EMBEDDING = (
    ipaddress.IPv6Network("64:ff9b::/96"),
    ipaddress.IPv6Network("64:ff9b:1::/48"),
    ipaddress.IPv6Network("::ffff:0:0:0/96"),
    ipaddress.IPv6Network("::/96"),
)
"""Networks whose last 32 bits are an IPv4 address that a gateway, or the system, makes of them."""
_NEVER = (ipaddress.ip_address("168.63.129.16"), ipaddress.ip_address("fd00:ec2::254"))
"""Where clouds tell machines about themselves, beside 169.254.169.254, which is of this link alone."""
_NOWHERE = tuple(
    map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "fec0::/10", "3fff::/20", "5f00::/16"))
)
"""Networks of protocols, of documentation and of former times, which earlier Pythons take for the world's."""


def resolved(host: str, port: int) -> Sequence[Address]:
    """All addresses of a host, each once. Raises OSError, UnicodeError, ValueError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(ipaddress.ip_address(str(told[4][0])) for told in found))


def is_loopback(address: Address) -> bool:
    return _plain(address).is_loopback


def is_allowed(address: Address, *, private: bool) -> bool:
    """Whether anything may be sent there. `private` ones are this machine's and its own network's; what is
    of this link, of many at once or of nobody is never allowed."""
    plain = _plain(address)
    if plain.is_loopback:
        return private
    if any(plain in network for network in _NOWHERE):
        return False
    if plain in _NEVER or plain.is_link_local or plain.is_multicast or plain.is_unspecified:
        return False
    return plain.is_global or (private and plain.is_private)


def _plain(address: Address) -> Address:
    """The IPv4 address that stands in an IPv6 one, where one does: a private one must not hide there."""
    if isinstance(address, ipaddress.IPv4Address) or address.is_loopback or address.is_unspecified:
        return address
    embedded = address.ipv4_mapped or address.sixtofour
    if embedded is None and any(address in network for network in _EMBEDDING):
        embedded = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return embedded or address
