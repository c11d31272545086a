"""What every group of methods is made of: one person's link to the services, and walking through pages."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final, TypeVar

from google.protobuf import timestamp_pb2

from tapelog_client.link import Link

PAGE_SIZE: Final = 500
"""Items asked for at once while listing; the services give no more."""

_log = logging.getLogger(__name__)

Page = TypeVar("Page")
Item = TypeVar("Item")


class Group:
    """Methods about one kind of resource, as one person.

    A mutation's `request_id` is made by the client, once for the call and all its retries, unless the caller gives
    one; give one to repeat a call whose outcome is unknown, even from another process.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._link!r})"


async def pages(
    fetch: Callable[[str], Awaitable[Page]], items: Callable[[Page], Sequence[Item]], token: Callable[[Page], str]
) -> AsyncIterator[Item]:
    """Yield the items of every page; what a page names and cannot show is warned of in the log.

    Parameters
    ----------
    fetch : callable
        Gets the page of a token; the first token is empty.
    items, token : callable
        Read a page's items and its next token.
    """
    page_token = ""
    while True:
        page = await fetch(page_token)
        for item in items(page):
            yield item
        for name in getattr(page, "unreachable", ()):
            _log.warning("%s is not in the list because it cannot be read; ask for it by itself to learn why", name)
        page_token = token(page)
        if not page_token:
            return


def timestamp(time: datetime | None) -> timestamp_pb2.Timestamp | None:
    """Return a time in its wire form; nothing for none."""
    if time is None:
        return None
    stamp = timestamp_pb2.Timestamp()
    stamp.FromDatetime(time)
    return stamp
