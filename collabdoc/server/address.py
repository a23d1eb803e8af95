"""Whose a connection is: its peer's, or that of whom a proxy speaks for which the operator named.

Tornado's `xheaders` is no way to know: it believes every peer, and `X-Real-Ip` more than what proxies said.
"""

import ipaddress
from collections.abc import Sequence
from sys import intern

from tornado.httputil import HTTPServerRequest

_NETWORK_BITS = 64
"""Of an IPv6 address: what a household or a rented machine has to itself."""


def client_address(request: HTTPServerRequest, proxies: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> str:
    """What stands for whoever sent a request; empty for this machine itself."""
    address = _read(request.remote_ip or "")
    # Each proxy writes its own peer behind what it was told; what stands before that anybody may have written.
    for said in reversed(request.headers.get("X-Forwarded-For", "").split(",")):
        if address is None or not any(address in proxy for proxy in proxies):
            break
        if (before := _read(said.strip())) is None:
            break
        address = before
    if address is None or address.is_loopback or address.is_unspecified:  # the last for a socket in the file system
        return ""
    if address.version == 6:
        address = ipaddress.IPv6Address(int(address) >> _NETWORK_BITS << _NETWORK_BITS)
    return intern(str(address))


def _read(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (address.version == 6 and address.ipv4_mapped) or address
