"""Every metric of the notify service, declared once; labels never carry an id."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

PUBLISHED: Final = Counter("tapelog_notify_published", "Events copied to the public stream, by context.", ["context"])

FENCES_LOST: Final = Counter("tapelog_notify_fences_lost", "Times another projector was faster.")

PROJECTOR_ACTIVE: Final = Gauge("tapelog_notify_projector_active", "1 while this process writes the public stream.")

ATTEMPTS: Final = Counter(
    "tapelog_notify_webhook_attempts",
    "Webhook attempts, by verdict: accepted, retry, gone, exhausted, failed_too_long.",
    ["verdict"],
)

ATTEMPT_SECONDS: Final = Histogram("tapelog_notify_webhook_seconds", "How long endpoints took to answer.")

FOLLOWERS: Final = Gauge("tapelog_notify_followers", "Open Subscribe streams.")

FOLLOWERS_CLOSED: Final = Counter("tapelog_notify_slow_followers", "Subscribe streams closed for being too slow.")
