"""Mix and master versions: proposed, checked against the brief, rendered, put up for review."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from google.protobuf.message import Message
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_recipe import Violation, recipe_digest, validate_master, validate_mix

from tapelog_session.domain.checks import TEXT_CHARS_MAX, Fields
from tapelog_session.domain.errors import InvalidCommand, NotNow, Unknown
from tapelog_session.domain.names import KIND_WORDS, KindValue
from tapelog_session.domain.permissions import require_stage, stage_word
from tapelog_session.domain.roles import Actor
from tapelog_session.domain.song import Recipe, Song, Version
from tapelog_session.domain.tracking import comps
from tapelog_session.domain.tracking.take_checks import LENGTH_S_MAX
from tapelog_session.domain.versioning.carry_over import carry_over
from tapelog_session.domain.versioning.targets import Targets, resolve_target
from tapelog_session.domain.vision import brief_check

MIX: Final = pb.VERSION_KIND_MIX
MASTER: Final = pb.VERSION_KIND_MASTER
STAGE_OF: Final = {MIX: pb.STAGE_MIXING, MASTER: pb.STAGE_MASTERING}

VERSIONS_MAX: Final = 200
"""Versions of one kind; a record that needs more has another problem."""
RECIPE_BYTES_MAX: Final = 160 * 1024
"""One recipe: it travels in one event of at most 256 KiB."""
RECIPES_BYTES_MAX: Final = 3 * 1024 * 1024
"""All recipes of a song: they travel in one answer of at most 4 MiB."""
MASTER_OUTPUTS: Final = (
    recipe_pb2.OutputFormat(container=recipe_pb2.CONTAINER_WAV, bit_depth=24),
    recipe_pb2.OutputFormat(container=recipe_pb2.CONTAINER_FLAC, bit_depth=24),
)
"""What a master is rendered to when the recipe does not say: what a delivery needs."""

_REPLACED_BY_PROPOSAL: Final = frozenset({pb.VERSION_STATE_CHANGES_REQUESTED, pb.VERSION_STATE_RENDER_FAILED})


def propose_mix(song: Song, actor: Actor, recipe: recipe_pb2.MixRecipe, comment: str) -> Sequence[Message]:
    """Propose a mix: its recipe is checked against the brief at once; a violation flags it and refuses nothing."""
    require_stage(song, "ProposeMixVersion")
    _check_comment(comment)
    check_mix_recipe(song, recipe)
    number = _next_number(song, MIX, recipe)
    proposed = events_pb2.MixVersionProposed(
        number=number,
        recipe=recipe,
        recipe_digest=recipe_digest(recipe),
        comment=comment,
        proposed_by=actor.party,
    )
    return [proposed, *_consequences(song, MIX, number, recipe)]


def propose_master(
    song: Song, actor: Actor, recipe: recipe_pb2.MasterRecipe, comment: str, *, targets: Targets
) -> Sequence[Message]:
    """Propose a master of the approved mix; the target's numbers are written out, so that they stay what they were.

    Parameters
    ----------
    targets : Targets
        Known targets by name.
    """
    require_stage(song, "ProposeMasterVersion")
    _check_comment(comment)
    mix = song.approved(MIX)
    if mix is None:
        raise NotNow("MIX_NOT_APPROVED", "there is no approved mix to master; have one approved first")
    if recipe.HasField("source"):
        raise InvalidCommand("INVALID_RECIPE", [("recipe.source", "leave it empty: it is the approved mix")])
    complete = recipe_pb2.MasterRecipe()
    complete.CopyFrom(recipe)
    complete.source.asset_sha256 = mix.audio[0].sha256
    complete.target.CopyFrom(resolve_target(recipe.target, targets))
    if not complete.outputs:
        complete.outputs.extend(MASTER_OUTPUTS)
    _refuse_violations(validate_master(complete, services=True))
    number = _next_number(song, MASTER, complete)
    proposed = events_pb2.MasterVersionProposed(
        number=number,
        recipe=complete,
        recipe_digest=recipe_digest(complete),
        mix_number=mix.number,
        comment=comment,
        proposed_by=actor.party,
    )
    return [proposed, *_consequences(song, MASTER, number, complete)]


def check_mix_recipe(song: Song, recipe: recipe_pb2.MixRecipe) -> None:
    """Refuse a recipe that cannot be rendered from this song's selected takes, with everything that is wrong."""
    size = recipe.ByteSize()
    if size > RECIPE_BYTES_MAX:
        raise InvalidCommand("INVALID_RECIPE", [("recipe", f"{size} bytes, the limit is {RECIPE_BYTES_MAX}")])
    _refuse_violations(validate_mix(recipe, services=True))
    fields = Fields()
    fields.that(
        recipe.sample_rate_hz == song.sample_rate_hz,
        "recipe.sample_rate_hz",
        f"{recipe.sample_rate_hz} Hz is not the session's {song.sample_rate_hz} Hz",
    )
    recordings = comps.comp_recordings(song)
    usable = {take.asset_sha256 for take in song.usable_takes() if take.has_passed} | set(recordings)
    lengths = {take.asset_sha256: take.format.length_frames for take in song.takes.values() if take.format is not None}
    lengths |= {sha256: length for sha256, (_, length) in recordings.items()}
    for track in recipe.tracks:
        fields.that(
            track.source.asset_sha256 in usable,
            f"recipe.tracks[{track.id}].source.asset_sha256",
            f"{track.source.asset_sha256[:12]}… is of no rendered comp, and of no take that is selected, in a comp, or "
            "cleaned from one",
        )
        end_s = (track.start_frame + lengths.get(track.source.asset_sha256, 0)) / recipe.sample_rate_hz + recipe.tail_s
        fields.that(
            end_s <= LENGTH_S_MAX,
            f"recipe.tracks[{track.id}].start_frame",
            f"{track.start_frame}: with this track and the tail the mix would have {end_s:.0f} s, the limit is "
            f"{LENGTH_S_MAX} s",
        )
    fields.refuse("INVALID_RECIPE")


def record_render(
    song: Song,
    kind: KindValue,
    number: int,
    *,
    audio: Iterable[audio_pb2.AudioResult],
    attachments: Iterable[pb.Attachment],
    render_job: str,
    engine_version: str,
) -> Sequence[Message]:
    """Record a version's render and check the brief over its signal; nothing if that was done before."""
    version = require_version(song, kind, number)
    if version.is_rendered:
        return []
    rendered = events_pb2.VersionRendered(
        kind=kind,
        number=number,
        audio=audio,
        attachments=attachments,
        render_job=render_job,
        engine_version=engine_version,
    )
    if not rendered.audio:
        return [rendered]
    carried = carry_over(song, kind, number, rendered.audio[0].format.length_frames)
    if song.brief is None:
        return [rendered, *carried]
    return [rendered, *carried, *brief_check.signal_events(song.brief, kind, number, rendered.audio[0])]


def record_render_failure(song: Song, kind: KindValue, number: int, render_job: str, error: str) -> Sequence[Message]:
    """Record that a version's render failed; nothing if it has ended before."""
    version = require_version(song, kind, number)
    if version.is_rendered or version.render_error:
        return []
    return [events_pb2.VersionRenderFailed(kind=kind, number=number, render_job=render_job, error=error)]


def submit(song: Song, kind: KindValue, number: int) -> Sequence[Message]:
    """Put a rendered version before the artist and the producer."""
    require_stage(song, "SubmitVersion")
    require_kind_stage(song, kind)
    version = require_version(song, kind, number)
    if version.state != pb.VERSION_STATE_RENDERED:
        raise wrong_state(version, "only a rendered version can be submitted")
    hours = song.policy.approval_deadline_hours
    return [events_pb2.VersionSubmittedForReview(kind=kind, number=number, deadline_hours=hours)]


def require_version(song: Song, kind: KindValue, number: int) -> Version:
    """Return a version of the song, or refuse."""
    version = song.versions(kind).get(number)
    if version is None:
        raise Unknown("NO_SUCH_VERSION", f"the song has no {KIND_WORDS[kind]} version {number}", number=number)
    return version


def require_kind_stage(song: Song, kind: KindValue) -> None:
    """Refuse work on mixes outside of MIXING, and on masters outside of MASTERING."""
    if song.stage != STAGE_OF[kind]:
        at, legal = stage_word(song.stage), stage_word(STAGE_OF[kind])
        raise NotNow(
            "WRONG_STAGE", f"{KIND_WORDS[kind]} versions are worked on in {legal}; the song is in {at}", stage=at
        )


def wrong_state(version: Version, rule: str) -> NotNow:
    """Return the refusal of a command that the version's state does not allow."""
    state = pb.VersionState.Name(version.state).removeprefix("VERSION_STATE_")
    return NotNow(
        "WRONG_VERSION_STATE",
        f"{KIND_WORDS[version.kind]} version {version.number} is {state}: {rule}",
        state=state,
        number=version.number,
    )


def _consequences(song: Song, kind: KindValue, number: int, recipe: Recipe) -> Iterator[Message]:
    """Yield the check of a new version, and which older ones it answers."""
    if song.brief is not None:
        yield from brief_check.recipe_events(song, song.brief, kind, number, recipe)
    for older in sorted(song.versions(kind).values(), key=lambda v: v.number):
        if older.state in _REPLACED_BY_PROPOSAL:
            yield events_pb2.VersionSuperseded(kind=kind, number=older.number, by_number=number)


def _next_number(song: Song, kind: KindValue, recipe: Recipe) -> int:
    count = len(song.versions(kind))
    if count >= VERSIONS_MAX:
        raise NotNow("TOO_MANY_VERSIONS", f"the song has {VERSIONS_MAX} {KIND_WORDS[kind]} versions, the limit")
    if song.recipe_bytes + recipe.ByteSize() > RECIPES_BYTES_MAX:
        raise NotNow("SONG_TOO_LARGE", f"the song's recipes would have more than {RECIPES_BYTES_MAX} bytes, the limit")
    return count + 1


def _check_comment(comment: str) -> None:
    fields = Fields()
    fields.text("comment", comment, TEXT_CHARS_MAX, chars_min=0)
    fields.refuse()


def _refuse_violations(violations: Iterable[Violation]) -> None:
    wrong = [(f"recipe.{v.path}".rstrip("."), v.message) for v in violations]
    if wrong:
        raise InvalidCommand("INVALID_RECIPE", wrong)
