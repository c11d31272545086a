"""What the demo can fail with, beyond the errors of the services."""

from tapelog_cli.errors import CliError


class DemoFailed(CliError):  # noqa: N818 - names a state
    """Something that the demo proves did not hold."""


class MaterialMissing(CliError):  # noqa: N818 - names a state
    """The example song is not there."""


class Disagreement(CliError):  # noqa: N818 - names a state
    """What a subscriber or the ledger has is not what the event log has."""
