"""Tapelog's client: enter `Tapelog.local(...)` or `Tapelog.connect(...)`, then call `api.songs`, `api.versions` etc."""

from tapelog_client.api import Tapelog
from tapelog_client.assets import Progress
from tapelog_client.client_errors import (
    AddressMissing,
    ClientError,
    DigestMismatch,
    RenderNotDone,
    StackNotRunning,
    WaitTimeout,
)
from tapelog_client.errors import TapelogApiError
from tapelog_client.local import StackState, default_data_dir
from tapelog_client.subscriptions import event_filter
from tapelog_client.tokens import ApiKeyTokenSource, LocalKeyTokenSource, StaticTokenSource, TokenSource

__all__ = [
    "AddressMissing",
    "ApiKeyTokenSource",
    "ClientError",
    "DigestMismatch",
    "LocalKeyTokenSource",
    "Progress",
    "RenderNotDone",
    "StackNotRunning",
    "StackState",
    "StaticTokenSource",
    "Tapelog",
    "TapelogApiError",
    "TokenSource",
    "WaitTimeout",
    "default_data_dir",
    "event_filter",
]
