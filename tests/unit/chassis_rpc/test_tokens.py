"""The issuer and the verifier: what is minted is accepted, and nothing else is."""

import base64
import hashlib
import hmac
import json
import socket
import stat
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tapelog_chassis.auth import LocalIssuer, Principal, Revocations, TokenVerifier
from tapelog_chassis.auth.issuer import JWKS_FILE, KEY_FILE
from tapelog_chassis.clock import FakeClock
from tapelog_chassis.errors import ConfigRefusal, Unauthenticated


@pytest.fixture
def clock():
    """Give a clock that stands still."""
    return FakeClock()


@pytest.fixture
def key():
    """Give a private key."""
    return Ed25519PrivateKey.generate()


@pytest.fixture
def issuer(key: Any, clock: FakeClock):
    """Give an issuer with that key."""
    return LocalIssuer(key, clock=clock)


@pytest.fixture
def verifier(issuer: LocalIssuer, clock: FakeClock):
    """Give a verifier of the session service."""
    return TokenVerifier.from_jwks(issuer.jwks(), audience="session", clock=clock)


def base64url(data: bytes):
    """Encode as JOSE does."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Forge:
    """Makes tokens by hand, so that no library's own checks stand between the attack and the verifier."""

    def __init__(self, key: Any, issuer: LocalIssuer, clock: FakeClock) -> None:
        now = int(clock.now().timestamp())
        self.key = key
        self.header = {"alg": "EdDSA", "typ": "at+jwt", "kid": issuer.key_id}
        self.claims = {
            "iss": "tapelog-local",
            "aud": ["session"],
            "sub": "ana",
            "tenant": "acme",
            "kind": "person",
            "tenant_roles": [],
            "iat": now,
            "exp": now + 600,
            "jti": "j1",
        }
        self.now = now

    def make(
        self,
        header: dict[str, Any] | None = None,
        claims: dict[str, Any] | None = None,
        *,
        drop: Sequence[str] = (),
        drop_header: Sequence[str] = (),
        sign: Callable[[bytes], bytes] | None = None,
        raw: bytes | None = None,
    ) -> str:
        """Return a token that differs from a good one as told."""
        """Return a token that differs from a good one as told."""
        header = {k: v for k, v in {**self.header, **(header or {})}.items() if k not in drop_header}
        claims = {k: v for k, v in {**self.claims, **(claims or {})}.items() if k not in drop}
        body = raw if raw is not None else json.dumps(claims).encode()
        signing_input = f"{base64url(json.dumps(header).encode())}.{base64url(body)}"
        signature = (sign or self.key.sign)(signing_input.encode())
        return f"{signing_input}.{base64url(signature)}"


@pytest.fixture
def forge(key: Any, issuer: LocalIssuer, clock: FakeClock):
    """Give a forge with the issuer's own key."""
    return Forge(key, issuer, clock)


def test_a_hand_made_copy_of_a_good_token_is_accepted(forge: Forge, verifier: TokenVerifier):
    """The forge below makes good tokens when it changes nothing, so its refusals are refusals of the change."""
    assert Principal("acme", "ana", "person") == verifier.verify(forge.make())


def test_round_trip(issuer: LocalIssuer, verifier: TokenVerifier):
    """Everything the issuer puts into a token comes out of the verifier."""
    token = issuer.mint(
        audiences=["render", "session"],
        tenant="acme",
        party="bridge",
        kind="integration",
        tenant_roles=["AUDITOR"],
        on_behalf_of="ben",
    )
    assert Principal("acme", "bridge", "integration", frozenset({"AUDITOR"}), "ben") == verifier.verify(token)


def public_raw(key: Any):
    """Return the 32 bytes of the public key."""
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def public_pem(key: Any):
    """Return the public key as PEM."""
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def hs256(secret: bytes):
    """Sign with a shared secret."""
    return lambda data: hmac.new(secret, data, hashlib.sha256).digest()


def es256(data: bytes):
    """Sign with a fresh key on P-256."""
    return ec.generate_private_key(ec.SECP256R1()).sign(data, ec.ECDSA(hashes.SHA256()))


OTHER = Ed25519PrivateKey.generate()

HOSTILE = {
    "alg none, no signature": lambda f: f.make({"alg": "none"}, sign=lambda _: b""),
    "alg None in other case": lambda f: f.make({"alg": "nOnE"}, sign=lambda _: b""),
    "no signature under EdDSA": lambda f: f.make(sign=lambda _: b""),
    "HS256 with the public key, raw": lambda f: f.make({"alg": "HS256"}, sign=hs256(public_raw(f.key))),
    "HS256 with the public key, PEM": lambda f: f.make({"alg": "HS256"}, sign=hs256(public_pem(f.key))),
    "ES256 by another key": lambda f: f.make({"alg": "ES256"}, sign=es256),
    "unknown alg": lambda f: f.make({"alg": "XX999"}),
    "no alg": lambda f: f.make(drop_header=["alg"]),
    "wrong key": lambda f: f.make(sign=OTHER.sign),
    "unknown kid": lambda f: f.make({"kid": "other"}, sign=OTHER.sign),
    "no kid": lambda f: f.make(drop_header=["kid"]),
    "kid is a path": lambda f: f.make({"kid": "../../identity/jwks.json"}),
    "kid is SQL": lambda f: f.make({"kid": "' OR 1=1 --"}),
    "kid is a list": lambda f: f.make({"kid": ["a"]}),
    "jku": lambda f: f.make({"jku": "http://127.0.0.1:1/jwks.json"}),
    "x5u": lambda f: f.make({"x5u": "http://127.0.0.1:1/cert.pem"}),
    "jwk in the header": lambda f: f.make(
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": base64url(public_raw(OTHER))}}, sign=OTHER.sign
    ),
    "x5c": lambda f: f.make({"x5c": ["AAAA"]}),
    "critical header": lambda f: f.make({"crit": ["exp"], "exp": 1}),
    "unencoded payload (b64)": lambda f: f.make({"b64": False, "crit": ["b64"]}),
    "typ JWT": lambda f: f.make({"typ": "JWT"}),
    "no typ": lambda f: f.make(drop_header=["typ"]),
    "wrong issuer": lambda f: f.make(claims={"iss": "elsewhere"}),
    "no issuer": lambda f: f.make(drop=["iss"]),
    "wrong audience": lambda f: f.make(claims={"aud": ["render"]}),
    "audience is a prefix": lambda f: f.make(claims={"aud": "session2"}),
    "no audience": lambda f: f.make(drop=["aud"]),
    "expired": lambda f: f.make(claims={"iat": f.now - 700, "exp": f.now - 31}),
    "no expiry": lambda f: f.make(drop=["exp"]),
    "expiry is text": lambda f: f.make(claims={"exp": "2099-01-01"}),
    "expiry is infinite": lambda f: f.make(raw=json.dumps({**f.claims, "exp": float("inf")}).encode()),
    "lives an hour": lambda f: f.make(claims={"exp": f.now + 3600}),
    "lives a negative time": lambda f: f.make(claims={"iat": f.now + 20, "exp": f.now + 10}),
    "not yet valid": lambda f: f.make(claims={"nbf": f.now + 120}),
    "issued in the future": lambda f: f.make(claims={"iat": f.now + 60, "exp": f.now + 600}),
    "no tenant": lambda f: f.make(drop=["tenant"]),
    "empty tenant": lambda f: f.make(claims={"tenant": ""}),
    "two tenants": lambda f: f.make(claims={"tenant": ["acme", "rival"]}),
    "tenant with a wildcard": lambda f: f.make(claims={"tenant": "*"}),
    "tenant with a dot": lambda f: f.make(claims={"tenant": "acme.x"}),
    "no party": lambda f: f.make(drop=["sub"]),
    "party with a newline": lambda f: f.make(claims={"sub": "ana\n"}),
    "unknown kind": lambda f: f.make(claims={"kind": "god"}),
    "roles are text": lambda f: f.make(claims={"tenant_roles": "AUDITOR"}),
    "no jti": lambda f: f.make(drop=["jti"]),
    "revoked": lambda f: f.make(claims={"jti": "revoked-1"}),
    "scopes are text": lambda f: f.make(claims={"scopes": "session:read"}),
    "ES256 with the EdDSA key's kid": lambda f: f.make({"alg": "ES256"}),
    "claims are a list": lambda f: f.make(raw=b"[]"),
    "claims are no JSON": lambda f: f.make(raw=b"\xff"),
    "changed claims under the old signature": lambda f: tampered(f.make()),
    "1 MB": lambda f: f.make(claims={"pad": "x" * 1_000_000}),
    "empty": lambda _: "",
    "one part": lambda _: "abc",
    "five parts (JWE)": lambda _: "a.b.c.d.e",
    "header is a list": lambda f: base64url(b"[]") + "." + f.make().split(".", 1)[1],
    "not ASCII": lambda _: "ä.ö.ü",
}


def tampered(token: str):
    """Change the claims and keep the signature."""
    header, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    return ".".join([header, base64url(json.dumps({**claims, "sub": "root"}).encode()), signature])


def test_no_hostile_token_is_allowed(forge: Forge, verifier: TokenVerifier):
    """S02: all of them, counted; the good one beside them is allowed."""
    allowed = []
    for name in HOSTILE.keys() - {"revoked"}:
        try:
            verifier.verify(HOSTILE[name](forge))
        except Unauthenticated:
            continue
        allowed.append(name)
    sys.stdout.write(f"JWT: allowed {len(allowed)} of {len(HOSTILE) - 1}\n")
    assert allowed == []
    verifier.verify(forge.make())


def test_a_key_is_good_for_its_own_algorithm_alone(clock: FakeClock, issuer: LocalIssuer):
    """A key set may hold P-256 keys of another issuing program; neither kind of key proves the other's tokens."""
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key().public_numbers()
    key = {"kty": "EC", "crv": "P-256", "kid": "p-256"}
    key |= {name: base64url(getattr(public, name).to_bytes(32)) for name in ("x", "y")}
    jwks = {"keys": [*issuer.jwks()["keys"], key]}
    verifier = TokenVerifier.from_jwks(jwks, audience="session", clock=clock)
    good = issuer.mint(audiences=["session"], tenant="acme", party="ana")
    claims = jwt.decode(good, options={"verify_signature": False})

    def signed(algorithm: str, kid: str, by: Any) -> str:
        return jwt.encode(claims, by, algorithm=algorithm, headers={"typ": "at+jwt", "kid": kid})

    assert verifier.verify(signed("ES256", "p-256", private)).party == "ana"
    for algorithm, kid, by in (("ES256", issuer.key_id, private), ("EdDSA", "p-256", Ed25519PrivateKey.generate())):
        with pytest.raises(Unauthenticated):
            verifier.verify(signed(algorithm, kid, by))


@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_token_is_refused(forge: Forge, issuer: LocalIssuer, clock: FakeClock, attack: str):
    """No token but the issuer's own, for this service and in date, is accepted."""
    verifier = TokenVerifier.from_jwks(
        issuer.jwks(), audience="session", clock=clock, revoked=Revocations(tokens={"revoked-1"})
    )
    with pytest.raises(Unauthenticated) as caught:
        verifier.verify(HOSTILE[attack](forge))
    assert caught.value.reason.startswith("TOKEN_")


def test_a_jku_is_never_fetched(forge: Forge, verifier: TokenVerifier):
    """A token that names its own key set makes no connection."""
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.settimeout(0.05)
        url = f"http://127.0.0.1:{canary.getsockname()[1]}/jwks.json"
        for header in ("jku", "x5u"):
            with pytest.raises(Unauthenticated):
                verifier.verify(forge.make({header: url}))
        with pytest.raises(TimeoutError):
            canary.accept()


def test_leeway_is_thirty_seconds(issuer: LocalIssuer, verifier: TokenVerifier, clock: FakeClock):
    """A token is accepted up to 30 s behind its expiry, for clocks differ, and not a second more."""
    token = issuer.mint(audiences=["session"], tenant="acme", party="ana", lifetime_s=60)
    clock.advance(89)
    assert verifier.verify(token).party == "ana"
    clock.advance(1)
    with pytest.raises(Unauthenticated, match="expired"):
        verifier.verify(token)


def test_a_proven_token_is_still_refused_once_revoked(issuer: LocalIssuer, clock: FakeClock):
    """Revocation holds for a token that was accepted a moment ago."""
    revoked: set[str] = set()
    verifier = TokenVerifier.from_jwks(
        issuer.jwks(), audience="session", clock=clock, revoked=Revocations(tokens=revoked)
    )
    token = issuer.mint(audiences=["session"], tenant="acme", party="ana")
    verifier.verify(token)
    revoked.add(jwt.decode(token, options={"verify_signature": False})["jti"])
    with pytest.raises(Unauthenticated, match="revoked"):
        verifier.verify(token)


def test_refusals_never_show_the_token(forge: Forge, verifier: TokenVerifier):
    """The text of a refusal holds no part of the token."""
    token = forge.make(sign=OTHER.sign)
    with pytest.raises(Unauthenticated) as caught:
        verifier.verify(token)
    assert not any(part in repr(caught.value) for part in token.split("."))


def test_reprs_hide_the_key(issuer: LocalIssuer, key: Any):
    """An issuer's repr shows its key id and not its key."""
    raw = key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    assert issuer.key_id in repr(issuer)
    assert "<hidden>" in repr(issuer)
    assert raw.hex() not in repr(issuer)


@pytest.mark.parametrize("lifetime_s", [0, -1, 901])
def test_lifetime_is_bounded(issuer: LocalIssuer, lifetime_s: int):
    """The issuer mints nothing that lives longer than 15 minutes, or not at all."""
    with pytest.raises(ValueError, match="lifetime_s"):
        issuer.mint(audiences=["session"], tenant="acme", party="ana", lifetime_s=lifetime_s)


def test_key_and_folder_are_private(tmp_path: Path):
    """A new key has mode 0600 in a folder of mode 0700, and opens again as the same key."""
    folder = tmp_path / "identity"
    made = LocalIssuer.open(folder, create=True)
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert made.key_id == LocalIssuer.open(folder).key_id
    assert sorted(path.name for path in folder.iterdir()) == sorted([KEY_FILE, JWKS_FILE])


def test_tokens_of_a_folder_are_accepted_by_its_key_set(tmp_path: Path):
    """The public file beside the key verifies what the key signs."""
    issuer = LocalIssuer.open(tmp_path / "identity", create=True)
    verifier = TokenVerifier.from_file(tmp_path / "identity" / JWKS_FILE, audience="notify")
    assert verifier.verify(issuer.mint(audiences=["notify"], tenant="acme", party="ana")).tenant == "acme"


def test_a_readable_key_is_refused(tmp_path: Path):
    """A key that other users can read is refused with its mode."""
    LocalIssuer.open(tmp_path, create=True)
    (tmp_path / KEY_FILE).chmod(0o640)
    with pytest.raises(ConfigRefusal, match="0640"):
        LocalIssuer.open(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a key"])
def test_a_damaged_key_is_refused(tmp_path: Path, content: bytes):
    """A key file that is no key is named in the refusal."""
    path = tmp_path / KEY_FILE
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigRefusal, match="not a PEM"):
        LocalIssuer.open(tmp_path)


def test_a_missing_key_says_what_to_do(tmp_path: Path):
    """Without a key the refusal names the path and `tapelog up`."""
    with pytest.raises(ConfigRefusal, match="tapelog up"):
        LocalIssuer.open(tmp_path)


RSA_JWK = {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "r"}


@pytest.mark.parametrize(
    "jwks",
    [{}, [], {"keys": []}, {"keys": [RSA_JWK]}, {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "k"}]}],
)
def test_key_set_must_be_ed25519(jwks: Any):
    """A key set that is empty, foreign or broken is refused as configuration."""
    with pytest.raises(ConfigRefusal):
        TokenVerifier.from_jwks(jwks, audience="session")


def test_rsa_key_file_is_refused(tmp_path: Path):
    """Give a private key of another kind is refused by its type."""
    path = tmp_path / KEY_FILE
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(
        rsa_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    path.chmod(0o600)
    with pytest.raises(ConfigRefusal, match="not an Ed25519"):
        LocalIssuer.open(tmp_path)


def test_fake_clock_moves_only_when_told(clock: FakeClock):
    """The clock of these tests stands still."""
    before = clock.now()
    clock.advance(1.5)
    assert clock.now() - before == timedelta(seconds=1.5)
