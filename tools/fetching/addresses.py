"""Which addresses are the public Internet's: everything else may be somebody's own network, and is never spoken to.

The networks stand here and are not asked of Python, whose own list differs from one version to the next.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

_CLOSED_4 = {
    "an unspecified address": ("0.0.0.0/8",),
    "a loopback address": ("127.0.0.0/8",),
    "a link-local address": ("169.254.0.0/16",),
    "a private address": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
    "an address shared behind a provider": ("100.64.0.0/10",),
    "a multicast address": ("224.0.0.0/4",),
    "a cloud platform's own address": ("168.63.129.16/32",),
    "a reserved address": (
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "240.0.0.0/4",
    ),
}
_CLOSED_6 = {
    "an unspecified address": ("::/128",),
    "a loopback address": ("::1/128",),
    "a link-local address": ("fe80::/10",),
    "a private address": ("fc00::/7", "fec0::/10"),
    "a multicast address": ("ff00::/8",),
    "an address in a tunnel": ("2001::/32", "2002::/16"),
    "a reserved address": ("2001::/23", "2001:db8::/32", "3fff::/20"),
}
_KINDS_4 = {kind: tuple(map(IPv4Network, networks)) for kind, networks in _CLOSED_4.items()}
_KINDS_6 = {kind: tuple(map(IPv6Network, networks)) for kind, networks in _CLOSED_6.items()}
_PUBLIC_6 = IPv6Network("2000::/3")
_TRANSLATED = IPv6Network("64:ff9b::/96")
"""Where a network that has IPv6 only shows the addresses of IPv4."""


def refusal(address: Address) -> str | None:
    """What kind of address it is, where nothing may be fetched from it; None where it is a public one."""
    if isinstance(address, IPv4Address):
        return next((kind for kind, networks in _KINDS_4.items() if any(address in each for each in networks)), None)
    if address.scope_id is not None:
        return "a link-local address"
    if (carried := _carried(address)) is not None:
        return refusal(carried)
    for kind, networks in _KINDS_6.items():
        if any(address in each for each in networks):
            return kind
    return None if address in _PUBLIC_6 else "a reserved address"


def _carried(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that is meant by one of IPv6."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFF_FFFF) if address in _TRANSLATED else None
