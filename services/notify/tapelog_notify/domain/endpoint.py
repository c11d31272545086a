"""The URL of a webhook: what may be registered at all. Addresses are checked again at every connection."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from .addresses import Address, refusal_of
from .errors import InvalidValue

FIELD: Final = "webhook.url"
URL_CHARS_MAX: Final = 2048
HTTPS_PORTS: Final = frozenset({443, 8443})
"""The only ports of the public internet that a webhook may use."""

_URL_CHARS: Final = re.compile(r"[!-~]+")
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_LIKE_A_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label that the system's resolver reads as part of a numeric address (WHATWG URL, "ends in a number")."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    A URL that passed every check that needs no name server.

    Attributes
    ----------
    url
        As registered.
    host
        Lower case, without brackets.
    address
        The address, where the host is one.
    """

    url: str
    host: str
    port: int
    address: Address | None


def parse_endpoint(url: str, *, allow_loopback: bool) -> Endpoint:
    """
    Check a webhook URL.

    Parameters
    ----------
    url
        As the caller wrote it.
    allow_loopback
        Also allow plain http and any port, to this machine alone (development).

    Raises
    ------
    InvalidValue
        With the rule that the URL breaks.
    """
    if not url or len(url) > URL_CHARS_MAX:
        raise _refused("URL_LENGTH", f"a URL of {len(url)} characters; give 1 to {URL_CHARS_MAX}")
    if not _URL_CHARS.fullmatch(url) or "\\" in url:
        raise _refused("URL_CHARACTERS", "only visible ASCII without backslash; write other letters percent-encoded")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _refused("URL_MALFORMED", f"not a URL ({error})") from None
    host = (parts.hostname or "").lower()
    address = _address_of(host)
    is_local = allow_loopback and (host == "localhost" or (address is not None and address.is_loopback))
    _check_parts(parts, is_local=is_local)
    port = port or (443 if parts.scheme == "https" else 80)
    if not is_local and port not in HTTPS_PORTS:
        raise _refused("URL_PORT", f"port {port} is not allowed; use 443 or 8443")
    if address is None and not is_local:
        _check_name(host)
    if address is not None and (why := refusal_of(address, allow_loopback=allow_loopback)):
        raise _refused("ADDRESS_REFUSED", f"{address} is not on the public internet ({why})")
    return Endpoint(url=url, host=host, port=port, address=address)


def _check_parts(parts: SplitResult, *, is_local: bool) -> None:
    if parts.scheme not in {"https", "http"}:
        raise _refused("URL_SCHEME", f"scheme {parts.scheme!r} is not https")
    if parts.scheme == "http" and not is_local:
        raise _refused("URL_SCHEME", "http is not encrypted; use https (http only to loopback, where that is allowed)")
    if parts.username is not None or parts.password is not None:
        raise _refused("URL_USERINFO", "no user name or password; deliveries are signed instead")
    if parts.fragment or parts.geturl().endswith("#"):
        raise _refused("URL_FRAGMENT", "no fragment; it would never be sent")


def _check_name(host: str) -> None:
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _refused("URL_HOST", f"{host!r} is not a host name; use a full domain name, in its xn-- form")
    if len(labels) < 2:
        raise _refused("URL_HOST", f"{host!r} is not a full domain name")
    if _LIKE_A_NUMBER.fullmatch(labels[-1]):
        raise _refused("URL_HOST", f"{host!r} is an address in disguise; write four decimal numbers")


def _address_of(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _refused(reason: str, message: str) -> InvalidValue:
    return InvalidValue(FIELD, reason, message)
