"""The private authority: what it issues is accepted by a real TLS stack, and kept while it is good."""

import datetime as dt
import socket
import ssl
import threading
from datetime import UTC
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509 import verification
from tapelog_chassis.auth.certificates import CERTIFICATE_DAYS, RENEW_BEFORE_DAYS, PrivateAuthority, subject_hosts
from tapelog_chassis.clock import FakeClock
from tapelog_chassis.errors import ConfigRefusal

from .handshakes import pair_of, permissive_listener, speaks_old_tls, speaks_tls

NOW = dt.datetime(2026, 6, 1, tzinfo=UTC)


def certificate(path: Path) -> x509.Certificate:
    """Read a PEM certificate."""
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_a_certificate_is_for_its_hosts_and_no_other(tmp_path: Path):
    """An independent verifier accepts it as server and client for every name it was issued for, and refuses others."""
    authority = PrivateAuthority.open(tmp_path, clock=FakeClock(NOW))
    assert authority.issue("render", ("render", "127.0.0.1", "::1"))
    leaf, root = certificate(tmp_path / "render.pem"), certificate(tmp_path / "ca.pem")
    assert sorted(subject_hosts(leaf)) == ["127.0.0.1", "::1", "render"]
    builder = verification.PolicyBuilder().store(verification.Store([root])).time(NOW)
    builder.build_server_verifier(x509.DNSName("render")).verify(leaf, [])
    builder.build_client_verifier().verify(leaf, [])
    with pytest.raises(verification.VerificationError):
        builder.build_server_verifier(x509.DNSName("session")).verify(leaf, [])


def test_it_is_kept_until_it_nears_its_end(tmp_path: Path):
    """Issuing again changes nothing while a month is left; after that, or for other hosts, it is made anew."""
    clock = FakeClock(NOW)
    authority = PrivateAuthority.open(tmp_path, clock=clock)
    authority.issue("render", ("render",))
    first = (tmp_path / "render.pem").read_bytes()
    assert not authority.issue("render", ("render",))
    assert (tmp_path / "render.pem").read_bytes() == first
    clock.advance((CERTIFICATE_DAYS - RENEW_BEFORE_DAYS - 1) * 86_400)
    assert not authority.issue("render", ("render",))
    clock.advance(2 * 86_400)
    assert authority.issue("render", ("render",))
    assert authority.issue("render", ("render", "studio.example"))


def test_another_authority_is_not_believed(tmp_path: Path):
    """A certificate that a new authority finds was not signed by it, so it is replaced, and keys stay private."""
    PrivateAuthority.open(tmp_path).issue("render", ("render",))
    old = certificate(tmp_path / "render.pem")
    for name in ("ca.pem", "ca.key"):
        (tmp_path / name).unlink()
    authority = PrivateAuthority.open(tmp_path)
    assert authority.issue("render", ("render",))
    assert certificate(tmp_path / "render.pem").issuer != old.issuer
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_key_open_to_others_is_refused(tmp_path: Path):
    """The message names the file and what to do."""
    PrivateAuthority.open(tmp_path)
    (tmp_path / "ca.key").chmod(0o644)
    with pytest.raises(ConfigRefusal, match="chmod 600"):
        PrivateAuthority.open(tmp_path)


def test_a_key_of_another_authority_is_refused(tmp_path: Path):
    """Half a restored backup does not issue certificates that nobody could verify."""
    PrivateAuthority.open(tmp_path / "a")
    PrivateAuthority.open(tmp_path / "b")
    (tmp_path / "a" / "ca.key").write_bytes((tmp_path / "b" / "ca.key").read_bytes())
    with pytest.raises(ConfigRefusal, match="not the key of"):
        PrivateAuthority.open(tmp_path / "a")


def test_openssl_shakes_hands_both_ways(tmp_path: Path):
    """Python's own OpenSSL, strict as far as it goes, completes a mutual TLS 1.3 handshake with two of ours."""
    authority = PrivateAuthority.open(tmp_path)
    for name in ("session", "render"):
        authority.issue(name, (name, "127.0.0.1"))
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for context, name in ((server, "render"), (client, "session")):
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(tmp_path / "ca.pem")
        context.load_cert_chain(tmp_path / f"{name}.pem", tmp_path / f"{name}.key")
    near, far = socket.socketpair()
    near.settimeout(10)
    far.settimeout(10)
    seen: list[object] = []

    def serve() -> None:
        with server.wrap_socket(far, server_side=True) as accepted:
            accepted.recv(1)
            seen.append(accepted.getpeercert())
            accepted.sendall(b"!")

    thread = threading.Thread(target=serve)
    thread.start()
    with client.wrap_socket(near, server_hostname="127.0.0.1") as connected:
        connected.sendall(b"?")
        assert connected.recv(1) == b"!"
    thread.join(10)
    assert "session" in str(seen)


@pytest.mark.parametrize("newest", ["TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3"])
async def test_the_probe_of_old_tls_is_able_to_speak_it(tmp_path: Path, newest: str):
    """S01's control: a server that takes every version takes the one that the probe is told to speak at most."""
    PrivateAuthority.open(tmp_path).issue("session", ("localhost",))
    pair = pair_of(tmp_path, "session")
    async with permissive_listener(pair) as listener:
        spoken = await speaks_tls(listener, pair, ssl.TLSVersion[newest])
        assert spoken == newest.replace("_", ".")
        assert await speaks_old_tls(listener, pair)
