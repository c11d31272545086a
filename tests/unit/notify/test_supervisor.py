"""What a webhook's supervisor calls a defect."""

from tapelog_chassis.nats.errors import Unreachable
from tapelog_notify.application.supervisor import passes_by_itself


def test_a_broker_that_is_away_is_no_defect_however_deep_it_is_told():
    """Attempts run in groups inside groups: the log has a warning, not a traceback that somebody is called for."""
    away = Unreachable("no answer")
    assert passes_by_itself(away)
    assert passes_by_itself(ExceptionGroup("attempts", [ExceptionGroup("one", [away]), away]))
    assert not passes_by_itself(ExceptionGroup("attempts", [ExceptionGroup("one", [KeyError("x")]), away]))
    assert not passes_by_itself(ValueError("x"))
