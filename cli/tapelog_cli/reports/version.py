"""What the services know of a version, as sections of its report."""

from collections.abc import Iterator, Sequence
from typing import Final

from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog.session.v1 import session_service_pb2 as rpc
from tapelog_console.reading import words
from tapelog_desk.report import Section

from tapelog_cli.desk import show
from tapelog_cli.reports.people import Names
from tapelog_cli.reports.recipes import changes_section
from tapelog_cli.reports.sizes import size_words

VERDICTS: Final = {
    brief_pb2.VERDICT_PASS: "kept",
    brief_pb2.VERDICT_VIOLATION: "broken",
    brief_pb2.VERDICT_NOT_MEASURED: "not measured",
}
"""Rules that do not apply to a version are left out."""

BAD_NEWS: Final = (res.VERSION_STATE_RENDER_FAILED, res.VERSION_STATE_CHANGES_REQUESTED, res.VERSION_STATE_REJECTED)
NOTES_MAX: Final = 200
"""Of one table, the newest: a version with more is not discussed by mail."""


def version_title(version: res.Version) -> str:
    """Return what people call a version: "master 3"."""
    return words.version_title(version.name).lower()


def verdict_of(version: res.Version, names: Names) -> tuple[str, bool]:
    """Return where a version stands as a sentence, and whether that is bad news."""
    state = words.version_state(version.state)
    approved = names.approved(version)
    given = {one.role for one in version.approvals if not one.superseded}
    waiting = [role for role in version.required_approvals if role not in given]
    if version.state == res.VERSION_STATE_APPROVED:
        return f"Approved by {approved}", False
    said = f"{state.capitalize()}"
    if version.render_error:
        said += f": {version.render_error}"
    if approved:
        said += f"; approved by {approved}"
    if waiting and version.state in (res.VERSION_STATE_RENDERED, res.VERSION_STATE_IN_REVIEW):
        said += f"; waits for the {words.roles(waiting)}"
    return said, version.state in BAD_NEWS


def sections_of(
    song: res.Song,
    version: res.Version,
    before: res.Version | None,
    diff: rpc.DiffVersionsResponse | None,
    names: Names,
    *,
    internal: bool,
) -> list[Section]:
    """Return everything but the sound; without `internal` nothing of the internal thread."""
    found: list[Section] = []
    if version.comment:
        found.append(Section("What it is about", text=(f"{names.of(version.proposed_by)}: {version.comment}",)))
    found.append(approvals(version, names))
    found.append(brief_checks(song, version, names))
    if before is not None and diff is not None:
        found.append(changes_section((one.path, one.before, one.after) for one in diff.recipe))
    found += notes(song, version, before, names, internal=internal)
    found += decisions(song, version, names, internal=internal)
    return found


def approvals(version: res.Version, names: Names) -> Section:
    """Return who approved exactly which samples, and when."""
    if not version.approvals:
        return Section("Approvals", text=("Nobody has approved it yet.",))
    heard = version.audio[0].sample_digest if version.audio else ""
    rows = tuple(
        (
            names.of(one.party),
            words.role(one.role) + (", own work" if one.self_approved else ""),
            words.moment(one.time),
            f"revision {one.brief_revision}" if one.brief_revision else "–",
            "superseded" if one.superseded else "approved" if one.sample_digest == heard else "other samples",
        )
        for one in version.approvals
    )
    text = ("Each approval is bound to the digest of the samples that were heard, the recipe and the brief.",)
    return Section("Approvals", rows=(("Who", "As", "When", "Brief", ""), *rows), text=text)


def brief_checks(song: res.Song, version: res.Version, names: Names) -> Section:
    """Return every rule that applies, with its verdict and what was found."""
    waived = {one.constraint: one for one in waivers_of(song, version)}
    rows = []
    for one in version.verdicts:
        said = VERDICTS.get(one.verdict)
        if said is None:
            continue
        evidence = one.evidence or ", ".join(one.recipe_paths)
        if said == "broken" and one.constraint in waived:
            waiver = waived[one.constraint]
            said = "waived"
            evidence += f" Waived by {names.of(waiver.waived_by)}: {waiver.reason}"
        rows.append((said, one.statement or one.constraint, evidence))
    if not rows:
        return Section("The brief", text=("No rule of the brief is about this version.",))
    return Section(
        f"The brief, revision {max(one.brief_revision for one in version.verdicts)}",
        rows=(("", "Rule", "What was found"), *rows),
    )


def waivers_of(song: res.Song, version: res.Version) -> Iterator[res.Waiver]:
    """Yield the waivers that hold for a version."""
    yield from (one for one in song.waivers if one.version in ("", version.name))


def hidden_notes(song: res.Song, version: res.Version, before: res.Version | None) -> int:
    """Return how many notes a report without the internal thread leaves out."""
    return sum(one.thread != res.NOTE_THREAD_CLIENT for one in _near(song, version, before))


def _near(song: res.Song, version: res.Version, before: res.Version | None) -> list[res.Note]:
    """Return the notes on a version and on the one before, those carried to it, and those on the song."""
    here = {version.name, before.name if before is not None else version.name}
    return [
        one
        for one in song.notes
        if one.version in here or one.carried_to == version.name or not (one.version or one.take)
    ]


def notes(
    song: res.Song, version: res.Version, before: res.Version | None, names: Names, *, internal: bool
) -> list[Section]:
    """Return what people remarked, and what became of it."""
    shown = [one for one in _near(song, version, before) if internal or one.thread == res.NOTE_THREAD_CLIENT]
    if not shown:
        return []
    rows = tuple(
        (
            words.note_state(one.state),
            words.timecode(one.range.start_frame, song.sample_rate_hz) if one.HasField("range") else "whole",
            f"{names.of(one.author)}, {words.role(one.author_role)}",
            one.text,
            one.answer or "–",
            (words.version_title(one.version).lower() if one.version else "the song"),
        )
        for one in shown[-NOTES_MAX:]
    )
    text = ("With internal notes: not for the client.",) if internal else ()
    return [Section("Notes", rows=(("", "At", "From", "Note", "Answer", "On"), *rows), text=text)]


def decisions(song: res.Song, version: res.Version, names: Names, *, internal: bool) -> list[Section]:
    """Return what was decided, and which rules were waived."""
    rows = [
        _decision(one, names)
        for one in song.disagreements
        if one.HasField("decision") and (internal or one.version in ("", version.name))
    ]
    found = []
    if rows:
        found.append(Section("Decisions", rows=(("Question", "Decision", "By", "Consented"), *rows)))
    waived = [
        (
            next((rule.statement for rule in song.brief.constraints if rule.id == one.constraint), one.constraint),
            one.reason,
            names.of(one.waived_by),
            words.moment(one.time),
        )
        for one in waivers_of(song, version)
    ]
    if waived:
        found.append(Section("Waivers", rows=(("Rule", "Why", "By", "When"), *waived)))
    return found


def _decision(one: res.Disagreement, names: Names) -> tuple[str, str, str, str]:
    decision = one.decision
    option = next((choice.description for choice in one.options if choice.id == decision.option), "")
    kind = words.word(res.DecisionKind, decision.kind)
    told = f"{kind.capitalize()}{f': {option}' if option else ''}. {decision.rationale}"
    consented = ", ".join(names.of(consent.party) for consent in one.consents)
    return one.question, told, f"{names.of(decision.party)}, {words.moment(decision.time)}", consented or "–"


def digests(version: res.Version) -> Section:
    """Return what the version is made of, byte by byte."""
    rows: list[Sequence[str]] = [
        (
            show.format_words(audio.format),
            size_words(audio.size_bytes),
            audio.sha256,
            audio.sample_digest,
        )
        for audio in version.audio
    ]
    rows += [(one.role, size_words(one.size_bytes), one.sha256, "–") for one in version.attachments]
    rows.append(("recipe", "–", version.recipe_digest, "–"))
    return Section(
        "Digests", rows=(("What", "Size", "SHA-256 of the file", "Of its samples"), *(tuple(row) for row in rows))
    )
