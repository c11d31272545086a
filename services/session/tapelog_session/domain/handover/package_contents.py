"""What belongs in a delivery package by its spec, what is still missing, under which names, and its manifest."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import Final

from google.protobuf.json_format import MessageToDict
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_recipe import dump_recipe

from tapelog_session.domain.checks import Fields
from tapelog_session.domain.errors import Condition
from tapelog_session.domain.gates.conditions import wanted_alternates
from tapelog_session.domain.handover.naming import depth_word, file_name, initials, rate_word, title_word
from tapelog_session.domain.song import Alternate, Song, Version
from tapelog_session.domain.versioning.targets import true_peak_fault
from tapelog_session.domain.versioning.versions import MASTER, MIX

MANIFEST_FORM: Final = "tapelog.delivery/1"
JSON_TYPE: Final = "application/json"
TEXT_TYPE: Final = "text/plain"
XML_TYPE: Final = "application/xml"
DEFAULT: Final = pb.DeliverySpec()
FORMATS: Final = (
    pb.DeliveryFormat(media_type="audio/wav", bit_depth=24),
    pb.DeliveryFormat(media_type="audio/flac"),
)
"""What the master is delivered in where the spec does not say."""
WORDS: Final = {"audio/wav": "WAV", "audio/flac": "FLAC"}
BIT_DEPTHS: Final = (0, 16, 24, 32)
FORMATS_MAX: Final = 8
ALTERNATES_MAX: Final = 16


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """A file of a package that is written for it: its role, its content, the version it describes."""

    role: str
    filename: str
    content: bytes
    version: str
    recipe_digest: str
    media_type: str


@dataclasses.dataclass(frozen=True, slots=True)
class Contents:
    """What goes into a package: files that are in the object store, and documents to be written there."""

    files: tuple[pb.DeliveryFile, ...]
    documents: tuple[Document, ...]


def check_spec(fields: Fields, spec: pb.DeliverySpec) -> None:
    """Note what is wrong with a delivery spec."""
    count = len(spec.master_formats)
    fields.that(count <= FORMATS_MAX, "spec.master_formats", f"{count} are more than {FORMATS_MAX}")
    for index, wanted in enumerate(spec.master_formats[:FORMATS_MAX]):
        path = f"spec.master_formats[{index}]"
        known = wanted.media_type in WORDS
        fields.that(known, f"{path}.media_type", f"{wanted.media_type[:40]!r} is not one of {', '.join(WORDS)}")
        fields.that(
            wanted.bit_depth in BIT_DEPTHS, f"{path}.bit_depth", f"{wanted.bit_depth} is not one of {BIT_DEPTHS}"
        )
    count = len(spec.alternates)
    fields.that(count <= ALTERNATES_MAX, "spec.alternates", f"{count} are more than {ALTERNATES_MAX}")
    for alternate in spec.alternates[:ALTERNATES_MAX]:
        fields.id("spec.alternates", alternate)
    fields.that(spec.naming in pb.DeliveryNaming.values(), "spec.naming", f"{spec.naming} is not a rule")


def gaps(song: Song, spec: pb.DeliverySpec = DEFAULT) -> tuple[Condition, ...]:
    """Return everything a package of this song still lacks."""
    return (*_catalogue_gaps(song, spec), *_version_gaps(song, spec), *_part_gaps(song, spec))


def _catalogue_gaps(song: Song, spec: pb.DeliverySpec) -> Iterator[Condition]:
    name = str(song.name)
    if not song.isrc:
        yield Condition("ISRC_MISSING", name, "set the recording's ISRC")
    for count in sorted(song.contributions.values(), key=lambda count: count.studio_session):
        if count.waiting:
            text = f"{count.waiting} contribution(s) wait for the person to confirm or dispute"
            yield Condition("CONTRIBUTION_UNCONFIRMED", count.studio_session, text)
    if spec.lyric_sheet and song.lyrics is None:
        yield Condition("LYRICS_MISSING", name, "set the words of the song")


def _version_gaps(song: Song, spec: pb.DeliverySpec) -> Iterator[Condition]:
    name = str(song.name)
    mix, master = song.approved(MIX), song.approved(MASTER)
    if mix is None:
        yield Condition("MIX_NOT_APPROVED", name, "have a mix approved")
    if master is None:
        yield Condition("MASTER_NOT_APPROVED", name, "have a master approved")
    else:
        subject = str(song.name.version(MASTER, master.number))
        for wanted in spec.master_formats or FORMATS:
            if not any(_is_of(audio, wanted) for audio in master.audio):
                depth = f"{wanted.bit_depth}-bit " if wanted.bit_depth else ""
                word = f"{depth}{WORDS[wanted.media_type]}"
                code = f"MASTER_{WORDS[wanted.media_type]}_{wanted.bit_depth or ''}".rstrip("_")
                yield Condition(f"{code}_MISSING", subject, f"the master has no {word}; add it to its outputs")
    for version in (mix, master):
        if version is not None and not any(a.role == "analysis" for a in version.attachments):
            subject = str(song.name.version(version.kind, version.number))
            yield Condition("ANALYSIS_MISSING", subject, "the render has no analysis; render the version again")


def _part_gaps(song: Song, spec: pb.DeliverySpec) -> Iterator[Condition]:
    mix = song.approved(MIX)
    have = {alternate.spec.id for alternate in _alternates(song, mix)}
    required = wanted_alternates(song)
    for wanted in dict.fromkeys((*required, *spec.alternates)):
        if mix is not None and wanted not in have:
            subject = f"{song.name.version(MIX, mix.number)}/alternates/{wanted}"
            by = "the brief" if wanted in required else "the delivery spec"
            yield Condition("ALTERNATE_MISSING", subject, f"{by} requires {wanted}; ask for it")
    for alternate in _alternates(song, mix):
        if alternate.audio is None:
            subject = f"{song.name.version(MIX, alternate.mix_number)}/alternates/{alternate.spec.id}"
            text = f"failed: {alternate.render_error}; ask for it again" if alternate.render_error else "is rendering"
            yield Condition("ALTERNATE_NOT_RENDERED", subject, f"{alternate.spec.id} {text}"[:300])
    if spec.stems and mix is not None:
        known = song.stems.get(mix.number)
        if known is None or not known.stems:
            error = f"failed: {known.render_error}" if known and known.render_error else "are not there"
            text = f"the stems of the approved mix {error}; ask for them with RequestStems"
            yield Condition("STEMS_MISSING", f"{song.name.version(MIX, mix.number)}/stems", text[:300])


def contents(
    song: Song,
    artist_name: str,
    mixer_initials: str,
    *,
    spec: pb.DeliverySpec = DEFAULT,
    credits_xml: bytes = b"",
) -> Contents:
    """Return what goes into the package of a song without gaps, in order of the file names.

    Every file traces to an approved version; the same song gives the same bytes whenever it is built.

    Parameters
    ----------
    credits_xml : bytes
        The credits as they are exported; empty leaves them out.
    """
    mix, master = song.approved(MIX), song.approved(MASTER)
    if mix is None or master is None:
        raise ValueError("a package needs an approved mix and master: look at the gaps first")
    stem = _stem(song, mix, artist_name, mixer_initials, spec)
    files: list[pb.DeliveryFile] = []
    documents: list[Document] = []
    versions = [] if spec.without_mix else [(mix, "Mix")]
    for version, word in (*versions, (master, f"Master{master.number:02d}")):
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
        if not spec.without_recipes:
            documents.append(_recipe_document(song, stem, word, version))
    mix_name = str(song.name.version(MIX, mix.number))
    for alternate in _alternates(song, mix):
        if alternate.audio is not None:
            word = title_word(alternate.spec.id, 32)
            file = _audio_file(
                stem, word, "alternate", alternate.audio, version=mix_name, recipe_digest=mix.recipe_digest
            )
            files.append(file)
    files += _stem_files(song, mix, stem, spec)
    documents += _texts(song, master, stem, spec, credits_xml)
    return Contents(tuple(_uniquely_named(files)), tuple(documents))


def _stem(song: Song, mix: Version, artist_name: str, mixer_initials: str, spec: pb.DeliverySpec) -> tuple[str, ...]:
    """Return the beginning of every file name, by the spec's rule."""
    if spec.naming == pb.DELIVERY_NAMING_ISRC:
        return (song.isrc, title_word(song.title))
    return (initials(artist_name), title_word(song.title), f"{mixer_initials.upper()}{mix.number:02d}")


def _recipe_document(song: Song, stem: tuple[str, ...], word: str, version: Version) -> Document:
    return Document(
        role="recipe",
        filename=file_name((*stem, f"{word}Recipe"), JSON_TYPE),
        content=_canonical(json.loads(dump_recipe(version.recipe, "json"))),
        version=str(song.name.version(version.kind, version.number)),
        recipe_digest=version.recipe_digest,
        media_type=JSON_TYPE,
    )


def _stem_files(song: Song, mix: Version, stem: tuple[str, ...], spec: pb.DeliverySpec) -> Iterator[pb.DeliveryFile]:
    known = song.stems.get(mix.number)
    for part in known.stems if known is not None and spec.stems else ():
        yield _audio_file(
            stem,
            f"Stem{title_word(part.id, 32)}",
            "stem",
            part.audio,
            version=str(song.name.version(MIX, mix.number)),
            recipe_digest=mix.recipe_digest,
        )


def _texts(
    song: Song, master: Version, stem: tuple[str, ...], spec: pb.DeliverySpec, credits_xml: bytes
) -> Iterator[Document]:
    """Yield lyric sheet and credits: of the recording, so they trace to its master."""
    of = {
        "version": str(song.name.version(MASTER, master.number)),
        "recipe_digest": master.recipe_digest,
    }
    if spec.lyric_sheet and song.lyrics is not None:
        sheet = f"{song.title}\n\n{song.lyrics.text.strip()}\n".encode()
        yield Document(
            role="lyrics", filename=file_name((*stem, "Lyrics"), TEXT_TYPE), content=sheet, media_type=TEXT_TYPE, **of
        )
    if credits_xml and not spec.without_credits:
        name = file_name((*stem, "Credits"), XML_TYPE)
        yield Document(role="credits", filename=name, content=credits_xml, media_type=XML_TYPE, **of)


def manifest(song: Song, artist_name: str, files: Sequence[pb.DeliveryFile], spec: pb.DeliverySpec = DEFAULT) -> bytes:
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
            "spec": MessageToDict(spec, preserving_proto_field_name=True),
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


def _is_of(audio: audio_pb2.AudioResult, wanted: pb.DeliveryFormat) -> bool:
    is_deep = wanted.bit_depth in (0, audio.format.bit_depth)
    return audio.media_type == wanted.media_type and is_deep and not (wanted.bit_depth == 24 and audio.format.is_float)


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
