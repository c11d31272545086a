"""Which addresses and URLs a webhook may have."""

from ipaddress import ip_address

import pytest
from tapelog_notify.domain.addresses import refusal_of
from tapelog_notify.domain.endpoint import parse_endpoint
from tapelog_notify.domain.errors import InvalidValue

FORBIDDEN = [
    "0.0.0.0",  # noqa: S104 - an address to be refused
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "3ffe::1",
    "5f00::1",
    "4000::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450:4001::1"]


@pytest.mark.parametrize("text", FORBIDDEN)
def test_an_address_that_is_not_on_the_public_internet_is_refused(text: str) -> None:
    """Each kind of special address has a reason against it."""
    assert refusal_of(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_let_through(text: str) -> None:
    """The lists take nothing from the public internet that a studio's server could have."""
    assert refusal_of(ip_address(text)) is None


@pytest.mark.parametrize("text", FORBIDDEN)
def test_the_developers_setting_lets_loopback_through_and_nothing_else(text: str) -> None:
    """With loopback allowed only 127.0.0.0/8 and ::1 pass."""
    address = ip_address(text)
    assert (refusal_of(address, allow_loopback=True) is None) == (text.startswith("127.") or text == "::1")


HOSTILE = {
    "http://example.com/": "URL_SCHEME",
    "ftp://example.com/": "URL_SCHEME",
    "file:///etc/passwd": "URL_SCHEME",
    "gopher://example.com/": "URL_SCHEME",
    "javascript:alert(1)": "URL_SCHEME",
    "//example.com/": "URL_SCHEME",
    "": "URL_LENGTH",
    "https://example.com/" + "x" * 2048: "URL_LENGTH",
    "https://exa mple.com/": "URL_CHARACTERS",
    "https://example.com/\r\nhost: x": "URL_CHARACTERS",
    "https://example.com\\@127.0.0.1/": "URL_CHARACTERS",
    "https://①②⑦.0.0.1/": "URL_CHARACTERS",
    "https://127。0。0。1/": "URL_CHARACTERS",
    "https://bücher.example/": "URL_CHARACTERS",
    "https://[::1": "URL_MALFORMED",
    "https://example.com:port/": "URL_MALFORMED",
    "https://example.com:99999/": "URL_MALFORMED",
    "https://user@example.com/": "URL_USERINFO",
    "https://user:pass@example.com/": "URL_USERINFO",
    "https://@example.com/": "URL_USERINFO",
    "https://example.com/#part": "URL_FRAGMENT",
    "https://example.com:22/": "URL_PORT",
    "https://example.com:80/": "URL_PORT",
    "https://example.com:6379/": "URL_PORT",
    "https:///path": "URL_HOST",
    "https://localhost/": "URL_HOST",
    "https://metadata/": "URL_HOST",
    "https://example.com./": "URL_HOST",
    "https://example..com/": "URL_HOST",
    "https://-example.com/": "URL_HOST",
    "https://ex%61mple.com/": "URL_HOST",
    "https://2130706433/": "URL_HOST",
    "https://0x7f.1/": "URL_HOST",
    "https://0177.0.0.1/": "URL_HOST",
    "https://127.1/": "URL_HOST",
    "https://0x7f000001/": "URL_HOST",
    "https://127.0.0.1/": "ADDRESS_REFUSED",
    "https://[::1]/": "ADDRESS_REFUSED",
    "https://[::ffff:127.0.0.1]/": "ADDRESS_REFUSED",
    "https://[fe80::1%25eth0]/": "ADDRESS_REFUSED",
    "https://169.254.169.254/latest/meta-data": "ADDRESS_REFUSED",
    "https://10.1.2.3:8443/": "ADDRESS_REFUSED",
}


@pytest.mark.parametrize(("url", "reason"), HOSTILE.items())
def test_a_hostile_url_is_refused_before_any_name_is_resolved(url: str, reason: str) -> None:
    """Each trick has its own reason."""
    with pytest.raises(InvalidValue) as caught:
        parse_endpoint(url, allow_loopback=False)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://hooks.example.com/tapelog?x=1", "hooks.example.com", 443),
        ("https://HOOKS.example.com:8443", "hooks.example.com", 8443),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443),
        ("https://1.1.1.1/hook", "1.1.1.1", 443),
        ("https://[2606:4700::1111]/hook", "2606:4700::1111", 443),
    ],
)
def test_an_honest_url_is_read(url: str, host: str, port: int) -> None:
    """Names and public addresses on the two ports pass as they are."""
    endpoint = parse_endpoint(url, allow_loopback=False)
    assert (endpoint.url, endpoint.host, endpoint.port) == (url, host, port)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/", "http://localhost:9/", "https://[::1]:5/", "https://hooks.example.com/"]
)
def test_the_developers_setting_lets_this_machine_through(url: str) -> None:
    """Loopback passes by plain http and on any port; the internet still does by https."""
    assert parse_endpoint(url, allow_loopback=True).url == url


@pytest.mark.parametrize("url", ["http://example.com/", "http://10.0.0.1/", "https://10.0.0.1/", "http://127.1/"])
def test_the_developers_setting_lets_nothing_else_through(url: str) -> None:
    """Private networks stay refused, and the internet stays encrypted."""
    with pytest.raises(InvalidValue):
        parse_endpoint(url, allow_loopback=True)
