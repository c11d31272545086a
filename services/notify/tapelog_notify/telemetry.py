"""Every metric of the notify service, declared once; labels never carry an id."""

from typing import Final

from tapelog_chassis.observability.metrics import counter, gauge, histogram

PUBLISHED: Final = counter(
    "tapelog_notify_published", "Events copied to the public stream, by context.", "events", ["context"]
)

FOREIGN_PASSED_BY: Final = counter(
    "tapelog_notify_foreign_passed_by",
    "Times that a reader of the public stream met a message that is no public event, and passed it by.",
    "times",
)

FENCES_LOST: Final = counter("tapelog_notify_fences_lost", "Times another projector was faster.", "times")

PROJECTOR_ACTIVE: Final = gauge(
    "tapelog_notify_projector_active", "1 while this process writes the public stream.", "state"
)

ATTEMPTS: Final = counter(
    "tapelog_notify_webhook_attempts",
    "Webhook attempts, by verdict: accepted, retry, gone, exhausted, failed_too_long.",
    "attempts",
    ["verdict"],
)

ATTEMPT_SECONDS: Final = histogram("tapelog_notify_webhook_seconds", "How long endpoints took to answer.")

DEAD_LETTERS: Final = counter(
    "tapelog_notify_dead_letters", "Events that a subscription gave up and keeps aside.", "events"
)

ALERTS_FIRING: Final = gauge(
    "tapelog_notify_alerts_firing", "Alerts of people's own rules that are raised and not resolved.", "alerts"
)

FOLLOWERS: Final = gauge("tapelog_notify_followers", "Open Subscribe streams.", "streams")

FOLLOWERS_CLOSED: Final = counter(
    "tapelog_notify_slow_followers", "Subscribe streams closed for being too slow.", "streams"
)
