from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook
from tapelog_cli.demo.billing import is_signed

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"id":"event-1"}'
NOW_S = 1_700_000_000


def _headers(secret: str = SECRET, *, at_s: int = NOW_S, body: bytes = BODY) -> dict[str, str]:
    """Return headers signed by the reference implementation."""
    signature = Webhook(secret).sign("event-1", datetime.fromtimestamp(at_s, UTC), body.decode())
    return {"webhook-id": "event-1", "webhook-timestamp": str(at_s), "webhook-signature": signature}


def test_the_reference_implementations_signature_is_accepted() -> None:
    """What the specification's own package signs is verified here."""
    assert is_signed(SECRET, _headers(), BODY, now_s=NOW_S)


def test_one_of_several_signatures_is_enough() -> None:
    """While a secret is rotated a delivery carries the old and the new signature."""
    headers = _headers()
    headers["webhook-signature"] = f"v1,AAAA v1a,ignored {headers['webhook-signature']}"

    assert is_signed(SECRET, headers, BODY, now_s=NOW_S)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (_headers("whsec_b3RoZXIgc2VjcmV0IG90aGVyIHNlY3JldA=="), BODY),
        (_headers(), b'{"id":"event-2"}'),
        (_headers(at_s=NOW_S - 301), BODY),
        (_headers(at_s=NOW_S + 301), BODY),
        ({**_headers(), "webhook-id": "event-2"}, BODY),
        ({**_headers(), "webhook-timestamp": "soon"}, BODY),
        ({**_headers(), "webhook-signature": ""}, BODY),
        ({}, BODY),
    ],
    ids=["other secret", "other body", "too old", "from the future", "other id", "no time", "unsigned", "no headers"],
)
def test_everything_else_is_refused(headers: dict[str, str], body: bytes) -> None:
    """A wrong secret, body, id or time, and a missing signature, are refused."""
    assert not is_signed(SECRET, headers, body, now_s=NOW_S)
