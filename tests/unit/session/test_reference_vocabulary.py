"""The vocabulary of the domain reference, section 2.5, held against the events that exist."""

from tapelog_session.application.aggregates import EVENTS

REFERENCE = {
    "project": "ProjectCreated MemberAdded MemberRoleChanged MemberRemoved PolicySet AllowanceSet ProjectClosed",
    "song": """
        SongCreated WorkLinked WritersSet BriefProposed BriefAmended BriefAgreed ReferenceTrackAttached
        ArrangementApproved StageEntered StageGateEvaluated StageAdvanced StageAdvanceRefused SendBackRequested
        StageSentBack SongPutOnHold SongResumed SongCancelled TrackDefined TakeRecorded TakeRejected TakeSelected
        CompSet TakeCleaned AlternateTakeRequested MixVersionProposed MasterVersionProposed VersionRendered
        VersionSubmittedForReview BriefCheckCompleted BriefViolationFlagged ChangesRequested VersionRejected
        VersionApproved ApprovalWithdrawn VersionSuperseded CheckWaived NoteAdded NoteReplied NoteAddressed
        NoteVerified NoteReopened NoteDeclined DisagreementOpened PositionStated OptionProposed DecisionRecorded
        DecisionConsented DisagreementClosed
        """,
    "studio_session": """
        StudioSessionOpened AttendeeLogged EquipmentLogged ContributionLogged ContributionConfirmed
        ContributionDisputed StudioSessionClosed
        """,
    "delivery_package": """
        DeliveryBuilt DeliveryCheckFailed DeliveryHandedOver DeliveryAccepted DeliveryReturned CreditsExported
        """,
}
ELSEWHERE = {
    # One fact each for what is approved: who reads types knows mix from master, and one consent from all of them.
    "VersionApproved": ("song", {"VersionApprovalGiven", "MixVersionApproved", "MasterVersionApproved"}),
    # A package that could not be built does not exist; the song, whose gate reads it, has the fact.
    "DeliveryCheckFailed": ("song", {"DeliveryPrechecked"}),
}


def test_every_event_of_the_reference_exists() -> None:
    """Each name is an event of its aggregate, or stands in the table of those that are called something else."""
    have: dict[str, set[str]] = {}
    for type_, message in EVENTS.types.items():
        have.setdefault(type_.split(".")[1], set()).add(message.DESCRIPTOR.name)
    missing = {
        (aggregate, name)
        for aggregate, names in REFERENCE.items()
        for name in names.split()
        if name not in have[aggregate] and not (name in ELSEWHERE and ELSEWHERE[name][1] <= have[ELSEWHERE[name][0]])
    }
    assert missing == set()
