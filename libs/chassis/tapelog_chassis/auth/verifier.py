"""Checks tokens: EdDSA and ES256 by a pinned key set, each key for its own algorithm alone (RFC 8725)."""

import base64
import collections
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Self

import jwt
import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tapelog_chassis.auth.issuer import ALGORITHM, ISSUER, LIFETIME_S_MAX, TOKEN_TYPE, Jwks
from tapelog_chassis.auth.principal import Kind, Principal
from tapelog_chassis.auth.revocations import REVOKED_FILE, Revocations
from tapelog_chassis.clock import Clock, SystemClock
from tapelog_chassis.errors import ConfigRefusal, Unauthenticated
from tapelog_chassis.ids import ID_PATTERN
from tapelog_chassis.watched import WatchedFile

LEEWAY_S: Final = 30
"""How far the clocks of issuer and service may differ."""
TOKEN_CHARS_MAX: Final = 4096
"""Ours have about 500; anything much longer is not worth parsing."""
CACHE_TOKENS_MAX: Final = 1024
"""Proven tokens kept, so that a busy caller's signature is checked once and not per call."""
ES256: Final = "ES256"
ALGORITHMS: Final = (ALGORITHM, ES256)
PublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey
_HEADER_KEYS: Final = frozenset({"alg", "typ", "kid"})
"""No jku, x5u, jwk, x5c, crit: a token may not say where its key is or change how it is read."""

_log = structlog.get_logger(__name__)


class _Claims(msgspec.Struct, frozen=True):
    iss: str
    aud: list[str] | str
    sub: str
    tenant: str
    kind: Kind
    iat: int
    exp: int
    jti: str
    tenant_roles: list[str] = []
    on_behalf_of: str = ""
    nbf: int = 0
    scopes: list[str] | None = None


class TokenVerifier:
    """Turns a token into a principal, or refuses it.

    Parameters
    ----------
    keys : Mapping[str, PublicKey]
        Accepted keys by key id. Nothing is ever fetched.
    audience : str
        This service's name; a token for another service is refused.
    issuer : str
    clock : Clock
    revoked : Revocations
        Parties and tokens that are refused although their tokens are in date.
    """

    def __init__(
        self,
        keys: Mapping[str, PublicKey],
        *,
        audience: str,
        issuer: str = ISSUER,
        clock: Clock | None = None,
        revoked: Revocations | None = None,
    ) -> None:
        if not keys:
            raise ConfigRefusal("the token verifier needs at least one public key")
        self._keys = dict(keys)
        self.audience = audience
        self.issuer = issuer
        self._clock = clock or SystemClock()
        self._revoked = revoked or Revocations()
        self._key_file: WatchedFile | None = None
        self._revoked_file: WatchedFile | None = None
        self._proven: collections.OrderedDict[bytes, tuple[_Claims, Principal]] = collections.OrderedDict()

    @classmethod
    def from_jwks(
        cls, jwks: Jwks, *, audience: str, clock: Clock | None = None, revoked: Revocations | None = None
    ) -> Self:
        """Build a verifier from a key set; keys of another kind are refused, not skipped."""
        return cls(dict(_public_keys(jwks)), audience=audience, clock=clock, revoked=revoked)

    @classmethod
    def from_file(cls, path: Path, *, audience: str, clock: Clock | None = None) -> Self:
        """Build a verifier from a `jwks.json` and the `revoked.json` beside it; both are read again by `refresh`.

        Raises
        ------
        ConfigRefusal
            The key set is missing or is none, or the revocations cannot be read.
        """
        revoked_path = path.with_name(REVOKED_FILE)
        key_file, revoked_file = WatchedFile(path), WatchedFile(revoked_path)
        verifier = cls(_read_keys(path), audience=audience, clock=clock, revoked=Revocations.read(revoked_path))
        verifier._key_file, verifier._revoked_file = key_file, revoked_file
        return verifier

    def refresh(self) -> bool:
        """Take over files that changed, and say whether one did; one that cannot be used leaves what was in force."""
        changed = False
        try:
            if self._key_file is not None and self._key_file.has_changed():
                self._keys = _read_keys(self._key_file.path)
                self._proven.clear()
                changed = True
            if self._revoked_file is not None and self._revoked_file.has_changed():
                self._revoked = Revocations.read(self._revoked_file.path)
                changed = True
        except ConfigRefusal as refusal:
            _log.error("keys or revocations kept as they were", detail=str(refusal))
        return changed

    def check_revoked(self, principal: Principal) -> None:
        """Refuse a caller whose token was good: the party, the one it acts for, or the token was revoked.

        Raises
        ------
        Unauthenticated
        """
        if self._revoked.refuses(principal):
            raise _refusal("TOKEN_REVOKED", "the token, its party or the party it acts for has been revoked")

    def seconds_left(self, principal: Principal) -> float:
        """Return how long a caller's token counts, the leeway included."""
        return max(0.0, principal.expires_s + LEEWAY_S - self._clock.now().timestamp())

    def verify(self, token: str) -> Principal:
        """Return who the token proves the caller to be.

        Raises
        ------
        Unauthenticated
            For every token that is not exactly what the issuer mints for this service, in date.
        """
        if len(token) > TOKEN_CHARS_MAX:
            raise _refusal("TOKEN_TOO_LONG", f"the token has {len(token)} characters; the limit is {TOKEN_CHARS_MAX}")
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        known = self._proven.get(digest)
        if known is None:
            claims = self._prove(token)
            self._check_names(claims)
            known = self._proven[digest] = (claims, _principal_of(claims))
            if len(self._proven) > CACHE_TOKENS_MAX:
                self._proven.popitem(last=False)
        claims, principal = known
        self._check_time(claims)
        self.check_revoked(principal)
        return principal

    def _prove(self, token: str) -> _Claims:
        """Check form and signature, and read the claims."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise _refusal("TOKEN_MALFORMED", "the token is not a signed JWT") from None
        if set(header) != _HEADER_KEYS or header["alg"] not in ALGORITHMS or header["typ"] != TOKEN_TYPE:
            raise _refusal(
                "TOKEN_HEADER_DENIED",
                f"the token's header must be alg {' or '.join(ALGORITHMS)}, typ {TOKEN_TYPE}, kid",
            )
        key = self._keys.get(header["kid"]) if isinstance(header["kid"], str) else None
        if key is None:
            raise _refusal("TOKEN_KEY_UNKNOWN", "the token's key is not one this service trusts")
        if header["alg"] != algorithm_of(key):
            raise _refusal("TOKEN_HEADER_DENIED", "the token's alg is not that of its key")
        try:
            payload = jwt.PyJWS().decode(token, key, algorithms=[algorithm_of(key)])
        except jwt.InvalidTokenError:
            raise _refusal("TOKEN_SIGNATURE_WRONG", "the token's signature does not fit its key") from None
        try:
            return msgspec.json.decode(payload, type=_Claims)
        except msgspec.MsgspecError:
            raise _refusal("TOKEN_CLAIMS_WRONG", "the token's claims are missing or of the wrong type") from None

    def _check_names(self, claims: _Claims) -> None:
        if claims.iss != self.issuer:
            raise _refusal("TOKEN_ISSUER_WRONG", f"the token's issuer is not {self.issuer}")
        audiences = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        if self.audience not in audiences:
            raise _refusal("TOKEN_AUDIENCE_WRONG", f"the token is not for {self.audience}; ask for that audience")
        parties = [claims.tenant, claims.sub, *([claims.on_behalf_of] if claims.on_behalf_of else [])]
        if any(ID_PATTERN.fullmatch(party) is None for party in parties) or not claims.jti:
            raise _refusal("TOKEN_CLAIMS_WRONG", "the token's tenant, sub or on_behalf_of is not an id")

    def _check_time(self, claims: _Claims) -> None:
        now = self._clock.now().timestamp()
        if claims.exp + LEEWAY_S <= now:
            raise _refusal("TOKEN_EXPIRED", "the token has expired; get a new one (the client does so by itself)")
        if claims.nbf - LEEWAY_S > now or claims.iat - LEEWAY_S > now:
            raise _refusal("TOKEN_NOT_YET_VALID", "the token is from the future; check the clocks of both machines")
        if not 0 < claims.exp - claims.iat <= LIFETIME_S_MAX:
            raise _refusal("TOKEN_LIFETIME_WRONG", f"the token must live at most {LIFETIME_S_MAX} s")

    def __repr__(self) -> str:
        return f"TokenVerifier(audience={self.audience!r}, issuer={self.issuer!r}, keys={sorted(self._keys)!r})"


def _principal_of(claims: _Claims) -> Principal:
    return Principal(
        tenant=claims.tenant,
        party=claims.sub,
        kind=claims.kind,
        tenant_roles=frozenset(claims.tenant_roles),
        on_behalf_of=claims.on_behalf_of,
        scopes=None if claims.scopes is None else frozenset(claims.scopes),
        token_id=claims.jti,
        expires_s=claims.exp,
    )


def _read_keys(path: Path) -> dict[str, PublicKey]:
    try:
        jwks = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ConfigRefusal(f"no key set at {path}: `tapelog up` writes it, or name the issuer's jwks.json") from None
    except (OSError, ValueError):
        raise ConfigRefusal(f"{path} is not JSON") from None
    return dict(_public_keys(jwks))


def _public_keys(jwks: Any) -> Iterable[tuple[str, PublicKey]]:
    keys = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(keys, list) or not keys:
        raise ConfigRefusal("a key set is a JSON object with a non-empty list `keys`")
    for key in keys:
        try:
            if (key["kty"], key["crv"]) == ("OKP", "Ed25519"):
                yield str(key["kid"]), Ed25519PublicKey.from_public_bytes(_bytes(key["x"]))
            elif (key["kty"], key["crv"]) == ("EC", "P-256"):
                x, y = int.from_bytes(_bytes(key["x"])), int.from_bytes(_bytes(key["y"]))
                yield str(key["kid"]), ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
            else:
                raise ConfigRefusal("the key set holds a key that is neither Ed25519 (OKP) nor P-256 (EC)")
        except (KeyError, TypeError, ValueError):
            raise ConfigRefusal("the key set holds a key without a usable kty, crv, kid, x or y") from None


def algorithm_of(key: PublicKey) -> str:
    """Return the one algorithm that a key may be used with."""
    return ALGORITHM if isinstance(key, Ed25519PublicKey) else ES256


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _refusal(reason: str, message: str) -> Unauthenticated:
    return Unauthenticated(reason, message)
