"""What people do on a song's page: one function an action, each one call of the SDK in the person's own name."""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web
from tapelog.session.v1 import resources_pb2 as res
from tapelog_client import Tapelog

from tapelog_console.errors import BadForm, NoSuchPage

from .briefs import brief_of
from .context import api_of, song_of
from .forms import Form, is_version_key, version_name


@dataclass(frozen=True, slots=True)
class Doing:
    """One action: as whom, on which song, with which form."""

    api: Tapelog
    song: str
    form: Form

    @property
    def version(self) -> str:
        """Resource name of the version that the form is about."""
        return version_name(self.song, self.form.text("version"))


async def _note(do: Doing) -> None:
    thread = res.NOTE_THREAD_CLIENT if do.form.text("thread", required=False) == "client" else res.NOTE_THREAD_INTERNAL
    text = do.form.text("text", label="The note")
    category, severity = _category(do.form), _severity(do.form)
    if do.form.text("version", required=False):
        await do.api.notes.add(
            do.version,
            text,
            frames=do.form.frames,
            tracks=do.form.choices("track"),
            category=category,
            severity=severity,
            thread=thread,
            request_id=do.form.request_id,
        )
    else:
        await do.api.notes.add_to_song(
            do.song, text, category=category, severity=severity, thread=thread, request_id=do.form.request_id
        )


async def _reply(do: Doing) -> None:
    text = do.form.text("text", label="The reply")
    await do.api.notes.reply(do.song, do.form.text("note"), text, request_id=do.form.request_id)


async def _address(do: Doing) -> None:
    version = do.version if do.form.text("version", required=False) else ""
    answer = do.form.text("text", label="What was done")
    await do.api.notes.address(do.song, do.form.text("note"), answer, version, request_id=do.form.request_id)


async def _decline(do: Doing) -> None:
    reason = do.form.text("text", label="The reason")
    await do.api.notes.decline(do.song, do.form.text("note"), reason, request_id=do.form.request_id)


async def _verify(do: Doing) -> None:
    await do.api.notes.verify(do.song, do.form.text("note"), request_id=do.form.request_id)


async def _reopen(do: Doing) -> None:
    reason = do.form.text("text", label="The reason")
    await do.api.notes.reopen(do.song, do.form.text("note"), reason, request_id=do.form.request_id)


async def _submit(do: Doing) -> None:
    await do.api.versions.submit(do.version, request_id=do.form.request_id)


async def _approve(do: Doing) -> None:
    # The digest of what the page played: if the samples changed since, the service refuses.
    await do.api.versions.approve(do.version, do.form.text("sample_digest"), request_id=do.form.request_id)


async def _withdraw(do: Doing) -> None:
    reason = do.form.text("text", label="The reason")
    await do.api.versions.withdraw_approval(do.version, reason, request_id=do.form.request_id)


async def _request_changes(do: Doing) -> None:
    summary = do.form.text("text", label="What has to change")
    await do.api.versions.request_changes(
        do.version, summary, notes=do.form.choices("note"), request_id=do.form.request_id
    )


async def _advance(do: Doing) -> None:
    await do.api.stages.advance(do.song, _stage(do.form), request_id=do.form.request_id)


async def _send_back(do: Doing) -> None:
    await do.api.stages.send_back(
        do.song,
        _stage(do.form),
        _reason(do.form),
        do.form.choices("note"),
        comment=do.form.text("text", required=False),
        request_id=do.form.request_id,
    )


async def _ask_send_back(do: Doing) -> None:
    await do.api.stages.request_send_back(
        do.song,
        _stage(do.form),
        _reason(do.form),
        notes=do.form.choices("note"),
        comment=do.form.text("text", required=False),
        request_id=do.form.request_id,
    )


async def _propose_brief(do: Doing) -> None:
    song = await do.api.songs.get(do.song)
    reason = do.form.text("reason", label="Why the brief changes", required=song.HasField("brief"))
    # What stays of the brief is what stands now: the etag refuses what somebody changed since.
    await do.api.briefs.propose(
        do.song, brief_of(do.form, song.brief), reason=reason, etag=song.etag, request_id=do.form.request_id
    )


async def _agree_brief(do: Doing) -> None:
    await do.api.briefs.agree(do.song, do.form.number("revision"), request_id=do.form.request_id)


async def _approve_arrangement(do: Doing) -> None:
    await do.api.songs.approve_arrangement(do.song, request_id=do.form.request_id)


async def _disagree(do: Doing) -> None:
    await do.api.disagreements.open(
        do.song,
        do.form.text("text", label="The question"),
        version=do.version if do.form.text("version", required=False) else "",
        constraints=do.form.choices("constraint"),
        request_id=do.form.request_id,
    )


async def _position(do: Doing) -> None:
    await do.api.disagreements.state(
        do.song,
        do.form.text("disagreement"),
        do.form.text("text", label="What concerns you"),
        wish=do.form.text("wish", required=False),
        request_id=do.form.request_id,
    )


async def _option(do: Doing) -> None:
    await do.api.disagreements.propose(
        do.song,
        do.form.text("disagreement"),
        do.form.text("option"),
        do.form.text("text", label="What would be done"),
        version=do.version if do.form.text("version", required=False) else "",
        request_id=do.form.request_id,
    )


async def _decide(do: Doing) -> None:
    await do.api.disagreements.decide(
        do.song,
        do.form.text("disagreement"),
        _enum(res.DecisionKind, "DECISION_KIND_", do.form.text("kind")),
        do.form.text("text", label="What is decided and why"),
        option=do.form.text("option", required=False),
        waives=do.form.choices("constraint"),
        consequences=[line for line in do.form.text("consequences", required=False).splitlines() if line.strip()],
        revisit_when=do.form.text("revisit_when", required=False),
        request_id=do.form.request_id,
    )


async def _consent(do: Doing) -> None:
    await do.api.disagreements.consent(do.song, do.form.text("disagreement"), request_id=do.form.request_id)


async def _close(do: Doing) -> None:
    await do.api.disagreements.close(
        do.song,
        do.form.text("disagreement"),
        comment=do.form.text("text", required=False),
        request_id=do.form.request_id,
    )


async def _select_take(do: Doing) -> None:
    await do.api.takes.select(do.song, do.form.text("track"), do.form.text("take"), request_id=do.form.request_id)


async def _accept_delivery(do: Doing) -> None:
    name = f"{do.song}/deliveries/{do.form.text('delivery')}"
    await do.api.deliveries.accept(name, request_id=do.form.request_id)


async def _return_delivery(do: Doing) -> None:
    name, text = f"{do.song}/deliveries/{do.form.text('delivery')}", do.form.text("text", label="What has to be done")
    wanted = do.form.text("to")
    if wanted not in RETURNS:
        raise BadForm(f"{wanted[:40]!r} is not one of the choices.")
    to, reason = RETURNS[wanted]
    package = await do.api.deliveries.get(name)
    notes = []
    if package.state != res.DELIVERY_STATE_DRAFT:
        # Whoever sends the song back needs a note that says why; a second click is the same request, note and all.
        own = str(uuid.uuid5(uuid.UUID(do.form.request_id), "note")) if do.form.request_id else ""
        notes = [(await do.api.notes.add_to_song(do.song, text, request_id=own)).id]
    await do.api.deliveries.return_(name, to, reason, text, notes=notes, request_id=do.form.request_id)


RETURNS: Final = {
    "files": (res.STAGE_MASTERING, res.SEND_BACK_REASON_TECHNICAL_RETURN),
    "sound": (res.STAGE_MIXING, res.SEND_BACK_REASON_CREATIVE_CHANGE),
}
"""For what a label returns a delivery: the stage that has to be done again, and the reason."""

ACTIONS: Final[Mapping[str, tuple[Callable[[Doing], Awaitable[None]], str]]] = {
    "note": (_note, "Your note is on the song."),
    "reply": (_reply, "Your reply is on the note."),
    "address": (_address, "The note is marked as done."),
    "decline": (_decline, "The note is declined, with your reason."),
    "verify": (_verify, "The note is settled."),
    "reopen": (_reopen, "The note is open again."),
    "submit": (_submit, "The version is before the artist and the producer."),
    "approve": (_approve, "Your approval is bound to exactly what you heard."),
    "withdraw": (_withdraw, "Your approval is withdrawn."),
    "request-changes": (_request_changes, "Changes are asked for."),
    "advance": (_advance, "The gate is passed."),
    "send-back": (_send_back, "The song is sent back."),
    "ask-send-back": (_ask_send_back, "Your request is on the song."),
    "propose-brief": (_propose_brief, "The brief is proposed: artist and producer have to agree to it."),
    "agree-brief": (_agree_brief, "You agreed to the brief."),
    "approve-arrangement": (_approve_arrangement, "You approved the arrangement."),
    "disagree": (_disagree, "The question is open."),
    "position": (_position, "Your position is on record."),
    "option": (_option, "The option is on the table."),
    "decide": (_decide, "The decision is on record."),
    "consent": (_consent, "Your consent is on record."),
    "close-disagreement": (_close, "The disagreement is closed."),
    "select-take": (_select_take, "The take is chosen."),
    "accept-delivery": (_accept_delivery, "The delivery is accepted."),
    "return-delivery": (_return_delivery, "The delivery is returned; the producer sends the song back."),
}
"""Every action: what it does, and what is said when it is done."""


async def act(request: web.Request) -> web.StreamResponse:
    """Do one action, then show the song again."""
    name = request.match_info["action"]
    if name not in ACTIONS:
        raise NoSuchPage("There is no such action.")
    song = song_of(request)
    form = Form(await request.post())
    await ACTIONS[name][0](Doing(api_of(request), song, form))
    shown = {key: form.text(f"show_{key}", required=False) for key in ("version", "against")}
    kept = {key: value for key, value in shown.items() if is_version_key(value)}
    raise web.HTTPSeeOther(f"/{song}?{urlencode({**kept, 'done': name})}")


def _stage(form: Form) -> "res.Stage.ValueType":
    found: res.Stage.ValueType = _enum(res.Stage, "STAGE_", form.text("to"))
    return found


def _reason(form: Form) -> "res.SendBackReason.ValueType":
    found: res.SendBackReason.ValueType = _enum(res.SendBackReason, "SEND_BACK_REASON_", form.text("reason"))
    return found


def _category(form: Form) -> "res.NoteCategory.ValueType":
    found: res.NoteCategory.ValueType = _enum(
        res.NoteCategory, "NOTE_CATEGORY_", form.text("category", required=False) or "unspecified"
    )
    return found


def _severity(form: Form) -> "res.NoteSeverity.ValueType":
    found: res.NoteSeverity.ValueType = _enum(
        res.NoteSeverity, "NOTE_SEVERITY_", form.text("severity", required=False) or "should"
    )
    return found


def _enum(enum: Any, prefix: str, value: str) -> Any:
    try:
        return enum.Value(prefix + value.upper())
    except ValueError:
        raise BadForm(f"{value[:40]!r} is not one of the choices.") from None
