"""Which addresses a webhook may reach: the public internet, and nothing that only this network can see.

Not `ipaddress.is_global`: in Python 3.11 it lets 13 of 31 forbidden addresses through (NAT64, 6to4, multicast, ...).
For IPv4 everything is allowed that no list below names; for IPv6 only 2000::/3 is, minus what the lists name.

Source: the IANA special-purpose address registries (RFC 6890) and the classification table of Stripe's smokescreen.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address

_REFUSED_V4: Final = tuple(
    (IPv4Network(network), why)
    for network, why in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "cloud metadata"),
        ("169.254.0.0/16", "link-local and cloud metadata"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.31.196.0/24", "AS112"),
        ("192.52.193.0/24", "multicast relay"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "AS112"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved and broadcast"),
    )
)
_GLOBAL_V6: Final = IPv6Network("2000::/3")
_REFUSED_V6: Final = tuple(
    (IPv6Network(network), why)
    for network, why in (
        ("2001::/23", "protocol assignments and Teredo"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("2620:4f:8000::/48", "AS112"),
        ("3ffe::/16", "6bone"),
        ("3fff::/20", "documentation"),
    )
)
_OTHER_V6: Final = tuple(
    (IPv6Network(network), why)
    for network, why in (
        ("::1/128", "loopback"),
        ("::/128", "unspecified"),
        ("::ffff:0:0/96", "IPv4-mapped"),
        ("64:ff9b::/96", "NAT64"),
        ("64:ff9b:1::/48", "local NAT64"),
        ("fc00::/7", "unique local"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)


def refusal_of(address: Address, *, allow_loopback: bool = False) -> str | None:
    """
    Say why a webhook may not connect to an address.

    Parameters
    ----------
    address
        As resolved, without any further reading of its text.
    allow_loopback
        Let 127.0.0.0/8 and ::1 through (development).

    Returns
    -------
    str or None
        The kind of address it is; None if it is on the public internet.
    """
    if allow_loopback and address.is_loopback:
        return None
    if isinstance(address, IPv4Address):
        return next((why for network, why in _REFUSED_V4 if address in network), None)
    if address.scope_id is not None:
        return "scoped to an interface"
    if address not in _GLOBAL_V6:
        return next((why for network, why in _OTHER_V6 if address in network), "not global unicast")
    return next((why for network, why in _REFUSED_V6 if address in network), None)
