"""What can stand against a first mix."""

from tapelog_desk.errors import DeskError


class SheetError(DeskError):
    """Raised when the list of stems cannot be used: no audio, a name twice, a role that does not exist."""


class BriefError(DeskError):
    """Raised when a brief cannot be read, or cannot be met with these stems."""
