"""What the services know of a delivery package, as sections of its report."""

from collections.abc import Mapping, Sequence
from typing import Final

from tapelog.session.v1 import resources_pb2 as res
from tapelog.session.v1 import session_service_pb2 as rpc
from tapelog_console.reading import words
from tapelog_desk.report import Section

from tapelog_cli.reports.people import Names
from tapelog_cli.reports.sizes import size_words

STATES: Final = {
    res.DELIVERY_STATE_DRAFT: "A draft: built to see that it can be built",
    res.DELIVERY_STATE_FINAL: "Final: to be handed over",
    res.DELIVERY_STATE_ACCEPTED: "Accepted",
    res.DELIVERY_STATE_RETURNED: "Returned",
}
SAME_SAMPLES: Final = "approved"
OF_RECIPE: Final = "same recipe"
NOT_TRACED: Final = "not traced"


def trace(file: res.DeliveryFile, versions: Mapping[str, res.Version]) -> str:
    """Return how a file is tied to an approval: by the samples that were approved, by the recipe, or not at all."""
    version = versions.get(file.version)
    if version is None:
        return NOT_TRACED
    if file.sample_digest and file.sample_digest in {one.sample_digest for one in version.approvals}:
        return SAME_SAMPLES
    return OF_RECIPE if file.recipe_digest in {one.recipe_digest for one in version.approvals} else NOT_TRACED


def verdict_of(package: res.DeliveryPackage, versions: Mapping[str, res.Version], names: Names) -> tuple[str, bool]:
    """Return where a package stands as a sentence, and whether that is bad news."""
    said = STATES.get(package.state, "")
    if package.accepted_by:
        said += f" by {names.of(package.accepted_by)}"
    elif package.handed_over_to:
        said += f"; handed over to {names.of(package.handed_over_to)}, {words.moment(package.hand_over_time)}"
    if package.return_comment:
        said += f": {package.return_comment}"
    lost = [file.filename for file in package.files if trace(file, versions) == NOT_TRACED]
    traced = f"not traced: {', '.join(lost)}" if lost else "each traced to its approved version"
    said += f". {len(package.files)} files, {traced}."
    return said, bool(lost) or package.state == res.DELIVERY_STATE_RETURNED


def sections_of(
    package: res.DeliveryPackage,
    song: res.Song,
    *,
    rebuilt: rpc.RebuildDeliveryResponse | None,
    missing: Sequence[res.GateCondition] | None,
    sessions: Sequence[res.StudioSession],
    names: Names,
) -> list[Section]:
    """Return everything but the sound."""
    versions = {version.name: version for version in song.versions}
    return [
        _manifest(package, versions, rebuilt),
        *_origins(package, versions, names),
        _recording(song, names),
        _credits(missing, sessions, names),
    ]


def digests(package: res.DeliveryPackage) -> Section:
    """Return the digests of every file, and of the manifest."""
    return Section(
        "Digests",
        rows=(
            ("File", "SHA-256 of the file", "Of its samples"),
            *((file.filename, file.sha256, file.sample_digest or "–") for file in package.files),
            ("the manifest", package.manifest_sha256, "–"),
        ),
    )


def _manifest(
    package: res.DeliveryPackage, versions: Mapping[str, res.Version], rebuilt: rpc.RebuildDeliveryResponse | None
) -> Section:
    rows = tuple(
        (
            file.filename,
            file.role,
            size_words(file.size_bytes),
            f"{file.true_peak_dbtp:.2f} dBTP".replace("-", "−") if file.HasField("true_peak_dbtp") else "–",
            words.version_title(file.version).lower() if file.version else "–",
            trace(file, versions),
        )
        for file in package.files
    )
    text = ["“approved”: the very samples that were approved; “same recipe”: made from the approved recipe."]
    if rebuilt is not None:
        text.append(
            "Manifest and documents were made anew from the log for this report: byte for byte the same."
            if rebuilt.identical
            else f"Made anew from the log, these differ: {', '.join(rebuilt.different)}."
        )
    return Section("What is delivered", rows=(("File", "What", "Size", "Peak", "From", ""), *rows), text=tuple(text))


def _origins(package: res.DeliveryPackage, versions: Mapping[str, res.Version], names: Names) -> list[Section]:
    """Return who approved the versions behind the files."""
    used = [versions[name] for name in dict.fromkeys(file.version for file in package.files) if name in versions]
    rows = [
        (
            words.version_title(version.name).lower(),
            names.of(one.party),
            words.role(one.role),
            words.moment(one.time),
            "superseded" if one.superseded else "approved",
        )
        for version in used
        for one in version.approvals
    ]
    return [Section("Approvals", rows=(("Version", "Who", "As", "When", ""), *rows))] if rows else []


def _recording(song: res.Song, names: Names) -> Section:
    rows = [("ISRC", song.isrc or "missing")]
    for work in song.works:
        writers = ", ".join(names.of(writer) for writer in work.writers)
        rows.append(("Work", f"{work.title}, by {writers}{f', ISWC {work.iswc}' if work.iswc else ''}"))
    return Section("The recording", rows=(("", ""), *rows))


def _credits(
    missing: Sequence[res.GateCondition] | None, sessions: Sequence[res.StudioSession], names: Names
) -> Section:
    state = {
        res.CONTRIBUTION_STATE_CONFIRMED: "confirmed",
        res.CONTRIBUTION_STATE_LOGGED: "unconfirmed",
        res.CONTRIBUTION_STATE_DISPUTED: "disputed",
    }
    rows = tuple(
        (names.of(one.party), words.role(one.role), one.detail or "–", session.venue or "–", state.get(one.state, ""))
        for session in sessions
        for one in session.contributions
    )
    text: tuple[str, ...] = ("Complete.",)
    if missing is None:
        text = ("Whether they are complete is not for who asked to see.",)
    elif missing:
        text = (f"Not complete, {len(missing)} missing:", *(_gap(one) for one in missing))
    return Section("Credits", rows=(("Who", "As", "What", "Where", ""), *rows) if rows else (), text=text)


def _gap(condition: res.GateCondition) -> str:
    subject = condition.subject.removeprefix("ROLE_").replace("_", " ").lower() if condition.subject else ""
    return f"{subject}: {condition.description}" if subject else condition.description
