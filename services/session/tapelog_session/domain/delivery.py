"""Delivery packages: what belongs in one, what is missing, its manifest; and the DeliveryPackage aggregate."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from google.protobuf.message import Message
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_recipe import dump_recipe

from tapelog_session.domain.checks import TEXT_CHARS_MAX, Fields
from tapelog_session.domain.conditions import wanted_alternates
from tapelog_session.domain.errors import Condition, Moved, NotNow
from tapelog_session.domain.naming import INITIALS, depth_word, file_name, initials, rate_word, title_word
from tapelog_session.domain.permissions import require_stage
from tapelog_session.domain.song import Alternate, Song, Version
from tapelog_session.domain.targets import true_peak_fault
from tapelog_session.domain.versions import MASTER, MIX

StateValue: TypeAlias = "pb.DeliveryState.ValueType"

MANIFEST_FORM: Final = "tapelog.delivery/1"
JSON_TYPE: Final = "application/json"


@dataclasses.dataclass(frozen=True, slots=True)
class DeliveryPackage:
    """What was built, and what became of it. Without files before its first event."""

    id: str = ""
    project: str = ""
    song: str = ""
    state: StateValue = pb.DELIVERY_STATE_UNSPECIFIED
    files: tuple[pb.DeliveryFile, ...] = ()
    manifest_sha256: str = ""
    create_time: datetime | None = None
    accepted_by: str = ""
    return_comment: str = ""
    handed_over_to: str = ""
    hand_over_time: datetime | None = None

    @property
    def exists(self) -> bool:
        """Whether it was built."""
        return self.state != pb.DELIVERY_STATE_UNSPECIFIED


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """A file of a package that is written for it: its role, its content, the version it describes."""

    role: str
    filename: str
    content: bytes
    version: str
    recipe_digest: str


@dataclasses.dataclass(frozen=True, slots=True)
class Contents:
    """What goes into a package: files that are in the object store, and documents to be written there."""

    files: tuple[pb.DeliveryFile, ...]
    documents: tuple[Document, ...]


def check_request(song: Song, mixer_initials: str) -> None:
    """Refuse a build in the wrong stage, or with initials that cannot stand in a file name."""
    require_stage(song, "BuildDelivery")
    fields = Fields()
    fields.that(
        INITIALS.fullmatch(mixer_initials) is not None, "mixer_initials", f"{mixer_initials[:20]!r}: 1 to 4 letters"
    )
    fields.refuse()


def gaps(song: Song) -> tuple[Condition, ...]:
    """Return everything a package of this song still lacks."""
    return tuple(_gaps(song))


def _gaps(song: Song) -> Iterator[Condition]:
    name = str(song.name)
    mix, master = song.approved(MIX), song.approved(MASTER)
    if not song.isrc:
        yield Condition("ISRC_MISSING", name, "set the recording's ISRC")
    for count in sorted(song.contributions.values(), key=lambda count: count.studio_session):
        if count.waiting:
            text = f"{count.waiting} contribution(s) wait for the person to confirm or dispute"
            yield Condition("CONTRIBUTION_UNCONFIRMED", count.studio_session, text)
    if mix is None:
        yield Condition("MIX_NOT_APPROVED", name, "have a mix approved")
    if master is None:
        yield Condition("MASTER_NOT_APPROVED", name, "have a master approved")
    else:
        subject = str(song.name.version(MASTER, master.number))
        if not any(_is_pcm24_wav(audio) for audio in master.audio):
            yield Condition("MASTER_WAV_24_MISSING", subject, "the master has no 24-bit WAV; add it to its outputs")
        if not any(audio.media_type == "audio/flac" for audio in master.audio):
            yield Condition("MASTER_FLAC_MISSING", subject, "the master has no FLAC; add it to its outputs")
    for version in (mix, master):
        if version is not None and not any(a.role == "analysis" for a in version.attachments):
            subject = str(song.name.version(version.kind, version.number))
            yield Condition("ANALYSIS_MISSING", subject, "the render has no analysis; render the version again")
    have = {alternate.spec.id for alternate in _alternates(song, mix)}
    for wanted in wanted_alternates(song):
        if mix is not None and wanted not in have:
            subject = f"{song.name.version(MIX, mix.number)}/alternates/{wanted}"
            yield Condition("ALTERNATE_MISSING", subject, f"the brief requires {wanted}; ask for it")
    for alternate in _alternates(song, mix):
        if alternate.audio is None:
            subject = f"{song.name.version(MIX, alternate.mix_number)}/alternates/{alternate.spec.id}"
            text = f"failed: {alternate.render_error}; ask for it again" if alternate.render_error else "is rendering"
            yield Condition("ALTERNATE_NOT_RENDERED", subject, f"{alternate.spec.id} {text}"[:300])


def finding_of(condition: Condition) -> str:
    """Return a gap as the one line that is kept of it."""
    return f"{condition.code} {condition.subject}: {condition.description}"


def condition_of(finding: str) -> Condition:
    """Return the gap of a line."""
    head, _, description = finding.partition(": ")
    code, _, subject = head.partition(" ")
    return Condition(code, subject, description)


def incomplete(conditions: Sequence[Condition]) -> NotNow:
    """Return the refusal that lists every gap."""
    codes = ", ".join(dict.fromkeys(condition.code for condition in conditions))
    return NotNow("DELIVERY_INCOMPLETE", f"the package lacks: {codes}", conditions=conditions, missing=len(conditions))


def record_precheck(song: Song, findings: Sequence[str], delivery: str, master_number: int) -> Sequence[Message]:
    """Record on the song that a package was built, or what it lacks.

    Raises
    ------
    Moved
        Another master was approved while the package was built.
    """
    master = song.approved(MASTER)
    approved = master.number if master else 0
    if delivery and approved != master_number:
        text = f"the package was built of master {master_number}, approved is {approved or 'none'}; build it again"
        raise Moved("DELIVERY_OUTDATED", f"{text} with a new request_id", built=master_number, approved=approved)
    return [
        events_pb2.DeliveryPrechecked(
            passed=not findings, findings=findings, delivery=delivery, master_number=master_number
        )
    ]


def contents(song: Song, artist_name: str, mixer_initials: str) -> Contents:
    """Return what goes into the package of a song without gaps, in order of the file names.

    Every file traces to an approved version; the same song gives the same bytes whenever it is built.
    """
    mix, master = song.approved(MIX), song.approved(MASTER)
    if mix is None or master is None:
        raise ValueError("a package needs an approved mix and master: look at the gaps first")
    stem = (initials(artist_name), title_word(song.title), f"{mixer_initials.upper()}{mix.number:02d}")
    files: list[pb.DeliveryFile] = []
    documents: list[Document] = []
    for version, word in ((mix, "Mix"), (master, f"Master{master.number:02d}")):
        name = str(song.name.version(version.kind, version.number))
        role = word.rstrip("0123456789").lower()
        audio_files = [
            _audio_file(stem, word, role, audio, version=name, recipe_digest=version.recipe_digest)
            for audio in version.audio
        ]
        if version.kind == MASTER:
            for file, audio in zip(audio_files, version.audio, strict=True):
                _say_peak(file, version, audio.measurements)
        files += audio_files
        files += [_attachment(stem, word, item, name, version) for item in version.attachments if item.role]
        documents.append(
            Document(
                role="recipe",
                filename=file_name((*stem, f"{word}Recipe"), JSON_TYPE),
                content=_canonical(json.loads(dump_recipe(version.recipe, "json"))),
                version=name,
                recipe_digest=version.recipe_digest,
            )
        )
    mix_name = str(song.name.version(MIX, mix.number))
    for alternate in _alternates(song, mix):
        if alternate.audio is not None:
            word = title_word(alternate.spec.id, 32)
            file = _audio_file(
                stem, word, "alternate", alternate.audio, version=mix_name, recipe_digest=mix.recipe_digest
            )
            files.append(file)
    return Contents(tuple(_uniquely_named(files)), tuple(documents))


def manifest(song: Song, artist_name: str, files: Sequence[pb.DeliveryFile]) -> bytes:
    """Return the manifest: canonical JSON (sorted keys, no spaces, ASCII), free of times and package ids."""
    mix, master = song.approved(MIX), song.approved(MASTER)
    return _canonical(
        {
            "form": MANIFEST_FORM,
            "song": str(song.name),
            "title": song.title,
            "artist": artist_name,
            "isrc": song.isrc,
            "works": [{"title": work.title, "iswc": work.iswc} for work in song.works],
            "cycle": song.cycle,
            "brief_revision": song.brief_revision,
            "mix": mix.number if mix else 0,
            "master": master.number if master else 0,
            "files": [
                {
                    "filename": file.filename,
                    "role": file.role,
                    "sha256": file.sha256,
                    "size_bytes": file.size_bytes,
                    "media_type": file.media_type,
                    "sample_digest": file.sample_digest,
                    "version": file.version,
                    "recipe_digest": file.recipe_digest,
                }
                for file in files
            ],
        }
    )


def hand_over(song: Song, package: DeliveryPackage, recipient: str, comment: str) -> Sequence[Message]:
    """Record that the final package was handed over; nothing if it was, to the same recipient."""
    require_stage(song, "HandOverDelivery")
    fields = Fields()
    fields.id("recipient", recipient)
    fields.text("comment", comment, TEXT_CHARS_MAX, chars_min=0)
    fields.refuse()
    _require_final(song, package, "handed over")
    if package.handed_over_to == recipient:
        return []
    return [events_pb2.DeliveryHandedOver(recipient=recipient, comment=comment)]


def accept(song: Song, package: DeliveryPackage, party: str) -> Sequence[Message]:
    """Accept the song's newest package, if it is a final one."""
    require_stage(song, "AcceptDelivery")
    _require_final(song, package, "accepted")
    return [events_pb2.DeliveryAccepted(accepted_by=party)]


def _require_final(song: Song, package: DeliveryPackage, done: str) -> None:
    if song.delivery != package.id:
        raise NotNow("NOT_THE_NEWEST", f"delivery {package.id} was replaced by {song.delivery}; take that one")
    if package.state != pb.DELIVERY_STATE_FINAL:
        state = pb.DeliveryState.Name(package.state).removeprefix("DELIVERY_STATE_")
        raise NotNow(
            "NOT_FINAL", f"delivery {package.id} is {state}; only a final one can be {done}, and once", state=state
        )


def give_back(package: DeliveryPackage, sent_back: pb.SendBack) -> Sequence[Message]:
    """Return a package with its song; nothing if that is done, or it is a draft."""
    if package.state not in {pb.DELIVERY_STATE_FINAL, pb.DELIVERY_STATE_ACCEPTED}:
        return []
    return [events_pb2.DeliveryReturned(edge=sent_back.edge, reason=sent_back.reason, comment=sent_back.comment)]


def evolve(package: DeliveryPackage, event: Message, time: datetime) -> DeliveryPackage:
    """Return the package after an event."""
    match event:
        case events_pb2.DeliveryBuilt():
            return DeliveryPackage(
                project=event.project,
                song=event.song,
                state=pb.DELIVERY_STATE_DRAFT if event.draft else pb.DELIVERY_STATE_FINAL,
                files=tuple(event.files),
                manifest_sha256=event.manifest_sha256,
                create_time=time,
            )
        case events_pb2.DeliveryHandedOver():
            return dataclasses.replace(package, handed_over_to=event.recipient, hand_over_time=time)
        case events_pb2.DeliveryAccepted():
            return dataclasses.replace(package, state=pb.DELIVERY_STATE_ACCEPTED, accepted_by=event.accepted_by)
        case events_pb2.DeliveryReturned():
            return dataclasses.replace(package, state=pb.DELIVERY_STATE_RETURNED, return_comment=event.comment)
    raise TypeError(f"{type(event).__name__} is not an event of a delivery package")


def _is_pcm24_wav(audio: audio_pb2.AudioResult) -> bool:
    return audio.media_type == "audio/wav" and audio.format.bit_depth == 24 and not audio.format.is_float


def _alternates(song: Song, mix: Version | None) -> list[Alternate]:
    wanted = [a for a in song.alternates.values() if mix is not None and a.mix_number == mix.number]
    return sorted(wanted, key=lambda alternate: alternate.order)


def _audio_file(
    stem: tuple[str, ...], word: str, role: str, audio: audio_pb2.AudioResult, *, version: str, recipe_digest: str
) -> pb.DeliveryFile:
    depth = depth_word(audio.format.bit_depth, is_float=audio.format.is_float)
    return pb.DeliveryFile(
        filename=file_name((*stem, word, rate_word(audio.format.sample_rate_hz), depth), audio.media_type),
        role=role,
        sha256=audio.sha256,
        size_bytes=audio.size_bytes,
        media_type=audio.media_type,
        sample_digest=audio.sample_digest,
        version=version,
        recipe_digest=recipe_digest,
    )


def _say_peak(file: pb.DeliveryFile, master: Version, measured: audio_pb2.Measurements) -> None:
    """Say in a master's file how its measured true peak stands to its ceiling."""
    if not isinstance(master.recipe, recipe_pb2.MasterRecipe):
        return
    target = master.recipe.target
    if measured.HasField("true_peak_dbtp") and target.HasField("ceiling_dbtp"):
        file.true_peak_dbtp = measured.true_peak_dbtp
        file.ceiling_dbtp = target.ceiling_dbtp
        is_over = bool(true_peak_fault(target, measured))
        file.over_ceiling_db = measured.true_peak_dbtp - target.ceiling_dbtp if is_over else 0.0


def _attachment(stem: tuple[str, ...], word: str, item: pb.Attachment, name: str, version: Version) -> pb.DeliveryFile:
    return pb.DeliveryFile(
        filename=file_name((*stem, word + title_word(item.role, 24)), item.media_type),
        role=item.role,
        sha256=item.sha256,
        size_bytes=item.size_bytes,
        media_type=item.media_type,
        version=name,
        recipe_digest=version.recipe_digest,
    )


def _uniquely_named(files: Sequence[pb.DeliveryFile]) -> Iterator[pb.DeliveryFile]:
    """Yield the files, with a number added to names that differ from an earlier one in nothing but case."""
    taken: dict[str, int] = {}
    for file in files:
        count = taken[file.filename.lower()] = taken.get(file.filename.lower(), 0) + 1
        if count > 1:
            base, _, extension = file.filename.rpartition(".")
            file.filename = f"{base}-{count}.{extension}"
        yield file


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()
