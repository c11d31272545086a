"""Signatures, against the reference implementation of Standard Webhooks and its published vector."""

import base64
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from tapelog_notify.domain.errors import InvalidValue
from tapelog_notify.domain.signature import format_secret, parse_secret, sign, signed_headers

BODY = b'{"title":"Gr\xc3\xb6\xc3\x9fe"}'


def test_the_published_example_signs_as_published() -> None:
    """The example of the specification's reference libraries gives their signature."""
    secret = parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("length", [24, 32, 64])
def test_the_reference_library_verifies_what_we_sign(length: int) -> None:
    """Secrets of the shortest, the usual and the longest length; a body that is not ASCII."""
    secret = secrets.token_bytes(length)
    headers = signed_headers(secret, "evt-1", int(datetime.now(UTC).timestamp()), BODY)
    assert Webhook(format_secret(secret)).verify(BODY, headers) == {"title": "Größe"}


def test_a_changed_byte_an_old_time_and_a_wrong_secret_are_refused() -> None:
    """The verifier, with our headers, accepts nothing but what was signed just now."""
    secret, now = secrets.token_bytes(32), datetime.now(UTC)
    verifier = Webhook(format_secret(secret))
    good = signed_headers(secret, "evt-1", int(now.timestamp()), BODY)
    old = signed_headers(secret, "evt-1", int((now - timedelta(minutes=10)).timestamp()), BODY)
    other = signed_headers(secrets.token_bytes(32), "evt-1", int(now.timestamp()), BODY)
    cases = [(BODY + b" ", good), (BODY, {**good, "webhook-id": "evt-2"}), (BODY, old), (BODY, other)]
    for body, headers in cases:
        with pytest.raises(WebhookVerificationError):
            verifier.verify(body, headers)


def test_secrets_are_read_as_they_are_written() -> None:
    """With and without padding; the text is the reference library's."""
    secret = secrets.token_bytes(25)
    assert parse_secret(format_secret(secret)) == secret
    assert parse_secret(format_secret(secret).rstrip("=")) == secret


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        base64.b64encode(bytes(32)).decode(),
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_" + "!" * 32,
        "WHSEC_" + base64.b64encode(bytes(32)).decode(),
    ],
)
def test_a_wrong_secret_is_refused_without_repeating_it(text: str) -> None:
    """The message says what a secret looks like, and never what was sent."""
    with pytest.raises(InvalidValue) as caught:
        parse_secret(text)
    assert "24 to 64 bytes" in str(caught.value)
    assert len(text) < 10 or text not in str(caught.value)
