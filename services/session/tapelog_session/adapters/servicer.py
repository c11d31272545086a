"""The gRPC servicer of `tapelog.session.v1.SessionService`, put together from its parts."""

from tapelog_session.adapters.grpc_api_keys import ApiKeyPart
from tapelog_session.adapters.grpc_deliveries import DeliveryPart
from tapelog_session.adapters.grpc_disagreements import DisagreementPart
from tapelog_session.adapters.grpc_notes import NotePart
from tapelog_session.adapters.grpc_objects import ObjectPart
from tapelog_session.adapters.grpc_projects import ProjectPart
from tapelog_session.adapters.grpc_recording import RecordingPart
from tapelog_session.adapters.grpc_sessions import SessionPart
from tapelog_session.adapters.grpc_songs import SongPart
from tapelog_session.adapters.grpc_stages import StagePart
from tapelog_session.adapters.grpc_versions import VersionPart


class SessionServicer(
    ApiKeyPart,
    ProjectPart,
    SongPart,
    RecordingPart,
    StagePart,
    VersionPart,
    NotePart,
    DisagreementPart,
    DeliveryPart,
    SessionPart,
    ObjectPart,
):
    """Every RPC of the service: thin, from request to domain values and back."""
