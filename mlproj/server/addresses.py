"""What one caller has of addresses: whoever has an IPv6 address has as many as they like."""

from __future__ import annotations

import ipaddress


def network_of(address: str) -> str:
    """The address, or of IPv6 the 64 bits that everybody is given at least; whatever else it is, as it is."""
    if ":" not in address:
        return address
    try:
        known = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.IPv6Network((known, 64), strict=False))
