"""Who asked for what and whether they got it: one record a call, chained, on the service's own disk."""

from .files import AuditTampered
from .log import AuditLog
from .record import Decision, annotate
from .verify import AuditReport, read_audit, services_of, verify_audit

__all__ = [
    "AuditLog",
    "AuditReport",
    "AuditTampered",
    "Decision",
    "annotate",
    "read_audit",
    "services_of",
    "verify_audit",
]
