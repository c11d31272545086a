"""Who the other end of a connection is, by its certificate: an identity of this installation that was not revoked.

Every listener that asks for certificates asks the same three things: that one of the installation's authorities signed
it (the handshake does), that it carries an identity of the installation, and that nobody revoked it.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import structlog
from cryptography import x509

from tapelog_chassis.errors import ConfigRefusal, Unauthenticated
from tapelog_chassis.watched import WatchedFile

TRUST_DOMAIN: Final = "spiffe://tapelog/"
"""Identities are URIs of the certificate, in the form of SPIFFE: `spiffe://tapelog/service/svc-session`."""
CERTIFICATES_KEPT: Final = 1024
"""Parsed certificates remembered: more connections than that are not open at a time."""

_log = structlog.get_logger(__name__)


def service_party(name: str) -> str:
    """Return the party as which a part of Tapelog calls others."""
    return f"svc-{name}"


def service_identity(name: str) -> str:
    """Return the identity in the certificate of a part of Tapelog."""
    return f"{TRUST_DOMAIN}service/{service_party(name)}"


def client_identity(name: str) -> str:
    """Return the identity in the certificate of a desk or a tool of the studio."""
    return f"{TRUST_DOMAIN}client/{name}"


@dataclasses.dataclass(frozen=True, slots=True)
class Peer:
    """The other end: its identity (empty when its certificate has none of ours) and its certificate's number."""

    identity: str
    serial: int

    def may_speak_as(self, party: str) -> bool:
        """Say whether this is the part of Tapelog whose party a token names."""
        return self.identity == f"{TRUST_DOMAIN}service/{party}"


class PeerCheck:
    """Finds out who shows a certificate, or refuses it.

    Parameters
    ----------
    revoked : Path, optional
        PEM revocation list of the clients' authority. It is read again when it changes.

    Raises
    ------
    ConfigRefusal
        The list is missing or is none: nobody is let in without it.
    """

    def __init__(self, revoked: Path | None = None) -> None:
        self._file = None if revoked is None else WatchedFile(revoked)
        self._revoked: frozenset[int] = frozenset() if revoked is None else _serials(revoked)

    def refresh(self) -> bool:
        """Read the list again if it changed, and say whether; one that cannot be read leaves the last one in force."""
        if self._file is None or not self._file.has_changed():
            return False
        try:
            self._revoked = _serials(self._file.path)
        except ConfigRefusal as refusal:
            _log.error("revocation list kept as it was", detail=str(refusal))
            return False
        return True

    def check(self, certificate: bytes) -> Peer:
        """Return who shows a PEM certificate, whose signature and dates the handshake has proven.

        Raises
        ------
        Unauthenticated
            It was revoked, or carries no identity of the installation.
        """
        peer = _peer(certificate)
        self.check_revoked(peer)
        if not peer.identity:
            raise Unauthenticated(
                "CERTIFICATE_UNNAMED",
                f"the client's certificate has no identity: it needs one URI name below {TRUST_DOMAIN}",
            )
        return peer

    def check_revoked(self, peer: Peer) -> None:
        """Refuse (`Unauthenticated`) who was let in before the certificate was revoked."""
        if peer.serial in self._revoked:
            raise Unauthenticated("CERTIFICATE_REVOKED", "the client's certificate has been revoked; get a new one")

    def check_call(self, auth_context: Mapping[str, Iterable[bytes]]) -> Peer:
        """Return who makes a gRPC call; see `check`."""
        for certificate in auth_context.get("x509_pem_cert", ()):
            return self.check(certificate)
        raise Unauthenticated("CERTIFICATE_MISSING", "this server wants a client certificate")

    def __repr__(self) -> str:
        return f"PeerCheck(revoked={len(self._revoked)})"


@functools.lru_cache(maxsize=CERTIFICATES_KEPT)
def _peer(pem: bytes) -> Peer:
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError:
        return Peer("", 0)
    try:
        names: Any = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return Peer("", certificate.serial_number)
    found = [
        uri for uri in names.get_values_for_type(x509.UniformResourceIdentifier) if str(uri).startswith(TRUST_DOMAIN)
    ]
    return Peer(found[0] if len(found) == 1 else "", certificate.serial_number)


def _serials(path: Path) -> frozenset[int]:
    try:
        listed = x509.load_pem_x509_crl(path.read_bytes())
    except OSError as failure:
        raise ConfigRefusal(f"cannot read the revocation list {path}: {failure.strerror}") from None
    except ValueError:
        raise ConfigRefusal(f"{path} is not a PEM revocation list: `tapelog broker-init` makes one") from None
    return frozenset(entry.serial_number for entry in listed)
