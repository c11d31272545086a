"""A private certificate authority for the services of one installation.

It is for machines that one person runs together; where there is an authority already, use its certificates instead.
"""

import datetime as dt
import hashlib
import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tapelog_chassis.auth.issuer import write_private
from tapelog_chassis.clock import Clock, SystemClock
from tapelog_chassis.errors import ConfigRefusal
from tapelog_chassis.ids import ID_PATTERN
from tapelog_chassis.rpc.peers import TRUST_DOMAIN, client_identity, service_identity

AUTHORITY_DAYS: Final = 3650
CERTIFICATE_DAYS: Final = 397
"""The longest that common verifiers accept."""
RENEW_BEFORE_DAYS: Final = 30
BACKDATED: Final = dt.timedelta(minutes=5)
"""Clocks of machines that start together differ."""
AUTHORITY_FILE: Final = "ca.pem"
AUTHORITY_KEY_FILE: Final = "ca.key"
REVOKED_FILE: Final = "revoked.pem"
"""Revocation list of the authority; there from the start, so that settings can name it."""
CLIENTS_FOLDER: Final = "clients"
"""Where certificates of desks and tools are, apart from those of the parts."""


class PrivateAuthority:
    """Issues certificates in a folder: `ca.pem`, `ca.key`, `revoked.pem`, and `<name>.pem` with `<name>.key` each.

    Keys are P-256.

    Parameters
    ----------
    folder : Path
    certificate : x509.Certificate
    key : ec.EllipticCurvePrivateKey
    clock : Clock
    """

    def __init__(
        self, folder: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, clock: Clock
    ) -> None:
        self._folder = folder
        self._certificate = certificate
        self._key = key
        self._clock = clock

    def __repr__(self) -> str:
        return f"PrivateAuthority({str(self._folder)!r}, key=<hidden>)"

    @classmethod
    def open(cls, folder: Path, *, clock: Clock | None = None) -> Self:
        """Read the authority of a folder, or make it at the first call.

        Raises
        ------
        ConfigRefusal
            The key can be read by other users, or is not the certificate's.
        """
        clock = clock or SystemClock()
        certificate_path, key_path = folder / AUTHORITY_FILE, folder / AUTHORITY_KEY_FILE
        if not key_path.exists():
            _make_authority(certificate_path, key_path, clock.now())
        mode = key_path.stat().st_mode & 0o777
        if mode & 0o077:
            raise ConfigRefusal(f"authority key {key_path} has mode {mode:04o}: run chmod 600 on it")
        key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
        certificate = _read(certificate_path)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate is None:
            raise ConfigRefusal(f"{folder} holds no readable authority: restore {AUTHORITY_FILE} and its key")
        if certificate.public_key() != key.public_key():
            raise ConfigRefusal(f"{key_path} is not the key of {certificate_path}: restore the one that is missing")
        authority = cls(folder, certificate, key, clock)
        if not authority._has_list():
            authority._write_revoked([])
        return authority

    def issue(self, name: str, hosts: Iterable[str]) -> bool:
        """Make the certificate of one part, unless there is one of this authority that is still good.

        Parameters
        ----------
        name : str
            Names the files, the subject, and its identity `spiffe://tapelog/service/svc-<name>`.
        hosts : Iterable[str]
            Host names and addresses that clients may dial.

        Returns
        -------
        bool
            Whether it was made: there was none, or it ends within `RENEW_BEFORE_DAYS`.
        """
        usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        return self._issue(name, [*sorted({*hosts, name}), service_identity(name)], usage)

    def issue_client(self, name: str) -> bool:
        """Make the certificate of a desk or a tool, `clients/<name>.pem`; it can call, and not be called.

        Raises
        ------
        ConfigRefusal
            The name is not an id.
        """
        if ID_PATTERN.fullmatch(name) is None:
            raise ConfigRefusal(f"{name!r} cannot name a client: lower case letters, digits and -, at most 32")
        (self._folder / CLIENTS_FOLDER).mkdir(mode=0o700, exist_ok=True)
        return self._issue(f"{CLIENTS_FOLDER}/{name}", [client_identity(name)], [ExtendedKeyUsageOID.CLIENT_AUTH])

    def revoke(self, name: str) -> int:
        """Put a certificate on the revocation list and remove its files; return its number.

        Parameters
        ----------
        name : str
            Of a part, or `clients/<name>`.

        Raises
        ------
        ConfigRefusal
            There is no such certificate.
        """
        certificate = _read(self._folder / f"{name}.pem")
        if certificate is None or name == Path(AUTHORITY_FILE).stem:
            raise ConfigRefusal(f"there is no certificate {name}.pem to revoke in {self._folder}")
        listed = x509.load_pem_x509_crl((self._folder / REVOKED_FILE).read_bytes())
        self._write_revoked([*listed, self._entry(certificate.serial_number)])
        for suffix in ("pem", "key"):
            (self._folder / f"{name}.{suffix}").unlink(missing_ok=True)
        return certificate.serial_number

    def _issue(self, name: str, names: list[str], usage: list[x509.ObjectIdentifier]) -> bool:
        if self._is_good(_read(self._folder / f"{name}.pem"), names):
            return False
        now = self._clock.now()
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(Path(name).name, self._certificate.subject, key.public_key(), now, CERTIFICATE_DAYS)
            .add_extension(x509.SubjectAlternativeName([_general_name(item) for item in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        write_private(self._folder / f"{name}.key", _key_pem(key))
        write_private(self._folder / f"{name}.pem", certificate.public_bytes(serialization.Encoding.PEM))
        return True

    def _has_list(self) -> bool:
        try:
            listed = x509.load_pem_x509_crl((self._folder / REVOKED_FILE).read_bytes())
        except (FileNotFoundError, ValueError):
            return False
        return listed.issuer == self._certificate.subject

    def _entry(self, serial: int) -> x509.RevokedCertificate:
        return x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(self._clock.now()).build()

    def _write_revoked(self, entries: Iterable[x509.RevokedCertificate]) -> None:
        """Write the list; it is good as long as the authority, because what it lacks is added at once."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(self._clock.now() - BACKDATED)
            .next_update(self._certificate.not_valid_after_utc)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        for entry in entries:
            builder = builder.add_revoked_certificate(entry)
        listed = builder.sign(self._key, hashes.SHA256())
        write_private(self._folder / REVOKED_FILE, listed.public_bytes(serialization.Encoding.PEM))

    def _is_good(self, certificate: x509.Certificate | None, names: list[str]) -> bool:
        if certificate is None or certificate.issuer != self._certificate.subject:
            return False
        left = certificate.not_valid_after_utc - self._clock.now()
        return left > dt.timedelta(days=RENEW_BEFORE_DAYS) and sorted(_subject_names(certificate)) == sorted(names)


def public_key_fingerprint(path: Path) -> str:
    """Return the SHA-256 of a certificate's public key, in hexadecimal digits, as nats-server pins it."""
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    key = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(key).hexdigest()


def subject_hosts(certificate: x509.Certificate) -> list[str]:
    """Return the host names and addresses a certificate is for; none without that extension."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]


def _subject_names(certificate: x509.Certificate) -> list[str]:
    """Return hosts and identities."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*subject_hosts(certificate), *names.get_values_for_type(x509.UniformResourceIdentifier)]


def _make_authority(certificate_path: Path, key_path: Path, now: dt.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = f"Tapelog private authority {os.urandom(4).hex()}"
    usage = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        _builder(name, subject, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(certificate_path, certificate.public_bytes(serialization.Encoding.PEM))
    write_private(key_path, _key_pem(key))


def _builder(
    name: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + dt.timedelta(days=days))
    )


def _general_name(host: str) -> x509.GeneralName:
    if host.startswith(TRUST_DOMAIN):
        return x509.UniformResourceIdentifier(host)
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _read(path: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
