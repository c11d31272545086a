"""Times of the wire, checked where they come in: protobuf lets a message hold what is no time."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from tapelog_chassis.errors import InvalidArgument


def time_of(stamp: Timestamp, field: str) -> datetime:
    """Return a time in UTC.

    Raises
    ------
    InvalidArgument
        It is not one between the years 1 and 9999.
    """
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidArgument.of_field(
            field, "is not a time between the years 1 and 9999", reason="INVALID_TIME"
        ) from None
