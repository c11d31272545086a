"""The commands about productions: people, songs, takes, versions, notes and gates."""

from typing import Final

from tapelog_cli.table.row import Command

_HERE: Final = "tapelog_cli.commands"

PRODUCTION: Final = (
    Command(
        "party set",
        f"{_HERE}.party:set_",
        "Create or replace the record of a person.",
        "tapelog party set pty-ana 'Ana Lind' --email ana@example.org --as pty-producer",
    ),
    Command(
        "party show",
        f"{_HERE}.party:show",
        "Show the record of a person.",
        "tapelog party show pty-ana --as pty-producer",
    ),
    Command(
        "project create",
        f"{_HERE}.project:create",
        "Create a project with its people.",
        "tapelog project create 'Night Drive' --artist 'The Testers' --member pty-producer=studio-producer "
        "--member pty-ana=artist,songwriter --as pty-producer",
    ),
    Command(
        "project list",
        f"{_HERE}.project:list_",
        "List your projects.",
        "tapelog project list --as pty-producer",
    ),
    Command(
        "project show",
        f"{_HERE}.project:show",
        "Show a project.",
        "tapelog project show prj-1 --as pty-producer",
    ),
    Command(
        "project members",
        f"{_HERE}.project:members",
        "List who works on a project, and in which roles.",
        "tapelog project members prj-1 --as pty-producer",
    ),
    Command(
        "project add-member",
        f"{_HERE}.project:add_member",
        "Add a person, or set all their roles.",
        "tapelog project add-member prj-1 pty-mia mixing-engineer --as pty-producer",
    ),
    Command(
        "project remove-member",
        f"{_HERE}.project:remove_member",
        "Remove a person; what they did before stands.",
        "tapelog project remove-member prj-1 pty-mia --as pty-producer",
    ),
    Command(
        "project close",
        f"{_HERE}.project:close",
        "End work on a project.",
        "tapelog project close prj-1 --reason 'released' --as pty-producer",
    ),
    Command(
        "project reopen",
        f"{_HERE}.project:reopen",
        "Let work on a closed project go on.",
        "tapelog project reopen prj-1 --as pty-producer",
    ),
    Command(
        "song create",
        f"{_HERE}.song:create",
        "Create a song.",
        "tapelog song create prj-1 'Night Drive' --rate-hz 48000 --bit-depth 24 --as pty-producer",
    ),
    Command(
        "song list",
        f"{_HERE}.song:list_",
        "List songs, with whom each waits for.",
        "tapelog song list prj-1 --stage mixing --as pty-producer",
    ),
    Command(
        "song show",
        f"{_HERE}.song:show",
        "Show a song: stage, versions, notes, and what its next gate waits for.",
        "tapelog song show projects/prj-1/songs/sng-1 --as pty-producer",
    ),
    Command(
        "song history",
        f"{_HERE}.song:history",
        "Tell a song as a story: who did what, in which role, and why.",
        "tapelog song history 'Night Drive' --last 20 --as pty-producer",
    ),
    Command(
        "song register-work",
        f"{_HERE}.song_content:register_work",
        "Link the musical work and its writers.",
        "tapelog song register-work sng-1 'Night Drive' --writer pty-ana --as pty-ana",
    ),
    Command(
        "song approve-arrangement",
        f"{_HERE}.song:approve_arrangement",
        "Approve the arrangement in your role.",
        "tapelog song approve-arrangement sng-1 --as pty-ana",
    ),
    Command(
        "song set-isrc",
        f"{_HERE}.song_content:set_isrc",
        "Set the International Standard Recording Code.",
        "tapelog song set-isrc sng-1 ZZTPL2600001 --as pty-producer",
    ),
    Command(
        "song advance",
        f"{_HERE}.gate:advance",
        "Move a song to the next stage.",
        "tapelog song advance sng-1 mixing --as pty-producer",
    ),
    Command(
        "song send-back",
        f"{_HERE}.song:send_back",
        "Send a song back to an earlier stage.",
        "tapelog song send-back sng-1 mixing --reason mix-move --note nt-1 --as pty-producer",
    ),
    Command(
        "song ask-back",
        f"{_HERE}.song:ask_back",
        "Ask for a song to be sent back.",
        "tapelog song ask-back sng-1 mixing --reason creative-change --note nt-1 --as pty-ana",
    ),
    Command(
        "song hold",
        f"{_HERE}.song:hold",
        "Suspend work on a song.",
        "tapelog song hold sng-1 'the singer is ill' --as pty-producer",
    ),
    Command(
        "song resume",
        f"{_HERE}.song:resume",
        "Go on where a song was put on hold.",
        "tapelog song resume sng-1 --as pty-producer",
    ),
    Command(
        "song cancel",
        f"{_HERE}.song:cancel",
        "Give a song up, for good.",
        "tapelog song cancel sng-1 'off the record' --as pty-producer",
    ),
    Command(
        "brief propose",
        f"{_HERE}.brief:propose",
        "Propose the brief, or amend it.",
        "tapelog brief propose sng-1 brief.yaml --as pty-ana",
    ),
    Command(
        "brief show",
        f"{_HERE}.brief:show",
        "Show the brief in force, and who agreed.",
        "tapelog brief show sng-1 --as pty-ana",
    ),
    Command(
        "brief agree",
        f"{_HERE}.brief:agree",
        "Agree to the brief in your role.",
        "tapelog brief agree sng-1 --revision 1 --as pty-producer",
    ),
    Command(
        "brief check",
        f"{_HERE}.brief:check",
        "Check a mix recipe against the brief.",
        "tapelog brief check sng-1 mix.yaml --as pty-mia",
    ),
    Command(
        "take upload",
        f"{_HERE}.take:upload",
        "Upload takes, and check them.",
        "tapelog take upload sng-1 stems/01_Kick.wav stems/02_Bass.wav --as pty-rec",
    ),
    Command(
        "take list",
        f"{_HERE}.take:list_",
        "List the takes of a song.",
        "tapelog take list sng-1 --as pty-rec",
    ),
    Command(
        "take select",
        f"{_HERE}.take:select",
        "Choose a take for its track.",
        "tapelog take select sng-1 tk-1 --as pty-producer",
    ),
    Command(
        "take reject",
        f"{_HERE}.take:reject",
        "Put a take out of the question; it is kept.",
        "tapelog take reject sng-1 tk-1 'a chair creaks' --as pty-producer",
    ),
    Command(
        "mix propose",
        f"{_HERE}.mix:propose",
        "Propose a mix to the services: brief check, then render.",
        "tapelog mix propose sng-1 mix.yaml --comment 'voice closer' --submit --as pty-mia",
    ),
    Command(
        "mix show",
        f"{_HERE}.mix:show",
        "Show a mix of a song.",
        "tapelog mix show sng-1 2 --as pty-mia",
    ),
    Command(
        "mix submit",
        f"{_HERE}.mix:submit",
        "Put a rendered mix before artist and producer.",
        "tapelog mix submit sng-1 2 --as pty-mia",
    ),
    Command(
        "mix diff",
        f"{_HERE}.mix:diff",
        "Compare two mixes: recipe and sound.",
        "tapelog mix diff sng-1 1 2 --as pty-producer",
    ),
    Command(
        "master propose",
        f"{_HERE}.master:propose",
        "Propose a master of the approved mix.",
        "tapelog master propose sng-1 master.yaml --submit --as pty-max",
    ),
    Command(
        "master show",
        f"{_HERE}.master:show",
        "Show a master of a song.",
        "tapelog master show sng-1 --as pty-max",
    ),
    Command(
        "master submit",
        f"{_HERE}.master:submit",
        "Put a rendered master before artist and producer.",
        "tapelog master submit sng-1 --as pty-max",
    ),
    Command(
        "note add",
        f"{_HERE}.note:add",
        "Add a note at a passage.",
        "tapelog note add sng-1 'voice too low' --on mix-2 --at 1:02.5-1:10 --track lead-vox --as pty-ana",
    ),
    Command(
        "note list",
        f"{_HERE}.note:list_",
        "List the notes of a song.",
        "tapelog note list sng-1 --state open --as pty-mia",
    ),
    Command(
        "note reply",
        f"{_HERE}.note:reply",
        "Answer a note.",
        "tapelog note reply sng-1 nt-1 'in all choruses?' --as pty-mia",
    ),
    Command(
        "note address",
        f"{_HERE}.note:address",
        "Say that a note is done, and in which version.",
        "tapelog note address sng-1 nt-1 'up 1.5 dB' --in mix-3 --as pty-mia",
    ),
    Command(
        "note verify",
        f"{_HERE}.note:verify",
        "Confirm that a note is done.",
        "tapelog note verify sng-1 nt-1 --as pty-ana",
    ),
    Command(
        "note decline",
        f"{_HERE}.note:decline",
        "Say that a note should not or cannot be done.",
        "tapelog note decline sng-1 nt-1 'it would clip' --as pty-mia",
    ),
    Command(
        "approve",
        f"{_HERE}.approval:approve",
        "Approve exactly the samples of a version, in your role.",
        "tapelog approve sng-1 mix-2 --as pty-ana",
    ),
    Command(
        "request-changes",
        f"{_HERE}.approval:request_changes",
        "Ask for changes to a version.",
        "tapelog request-changes sng-1 'bring the voice up' --note nt-1 --as pty-producer",
    ),
    Command(
        "gate show",
        f"{_HERE}.gate:show",
        "Show what the next gate waits for.",
        "tapelog gate show sng-1 --as pty-producer",
    ),
    Command(
        "gate advance",
        f"{_HERE}.gate:advance",
        "Move a song through the gate.",
        "tapelog gate advance sng-1 --as pty-producer",
    ),
)

PRODUCTION_GROUPS: Final = {
    "party": "People.",
    "api-key": "Keys of programs.",
    "project": "Projects and their people.",
    "brief": "What the artist wants, as rules.",
    "take": "Recordings.",
    "note": "What people say about a version.",
    "gate": "What stands between a song and its next stage.",
}
