"""The commands about a project's rules, studio sessions, and what is made of takes and versions."""

from typing import Final

from tapelog_cli.table.row import Command

_HERE: Final = "tapelog_cli.commands"

STUDIO: Final = (
    Command(
        "project set-policy",
        f"{_HERE}.project_rules:set_policy",
        "Set how versions are approved.",
        "tapelog project set-policy prj-1 --solo --as pty-producer",
    ),
    Command(
        "project set-allowance",
        f"{_HERE}.project_rules:set_allowance",
        "Set how many rounds of revision were agreed.",
        "tapelog project set-allowance prj-1 3 --as pty-producer",
    ),
    Command(
        "project may",
        f"{_HERE}.project_rules:may",
        "Say whether you may do something in a project.",
        "tapelog project may prj-1 ApproveVersion --as pty-ana",
    ),
    Command(
        "project rebuild-views",
        f"{_HERE}.project_rules:rebuild_views",
        "Make what lists are answered from anew.",
        "tapelog project rebuild-views --as pty-admin",
    ),
    Command(
        "party export",
        f"{_HERE}.party:export",
        "Show what is kept about a person.",
        "tapelog party export pty-ana --as pty-ana",
    ),
    Command(
        "party erase",
        f"{_HERE}.party:erase",
        "Erase a person's name and address for ever.",
        "tapelog party erase pty-ana --confirm pty-ana --as pty-ana",
    ),
    Command(
        "api-key create",
        f"{_HERE}.api_key:create",
        "Make a key for a program of yours.",
        "tapelog api-key create int-bridge 'DAW bridge' --scope session:read --as pty-admin",
    ),
    Command(
        "api-key list",
        f"{_HERE}.api_key:list_",
        "List keys, without their secrets.",
        "tapelog api-key list --as pty-admin",
    ),
    Command(
        "api-key revoke",
        f"{_HERE}.api_key:revoke",
        "Revoke a key.",
        "tapelog api-key revoke apiKeys/key-1 --reason lost --as pty-admin",
    ),
    Command(
        "song set-writers",
        f"{_HERE}.song_content:set_writers",
        "Say anew who wrote a work.",
        "tapelog song set-writers sng-1 1 --writer pty-ana --writer pty-ben --as pty-ana",
    ),
    Command(
        "song set-lyrics",
        f"{_HERE}.song_content:set_lyrics",
        "Set the words of the song.",
        "tapelog song set-lyrics sng-1 words.txt --language en --as pty-ana",
    ),
    Command(
        "song attach-reference",
        f"{_HERE}.song_content:attach_reference",
        "Attach a reference track.",
        "tapelog song attach-reference sng-1 'Blue Monday' --aspect low-end --as pty-ana",
    ),
    Command(
        "song events",
        f"{_HERE}.song_content:events",
        "Print the facts of a song, one JSON object a line.",
        "tapelog song events sng-1 --as pty-producer",
    ),
    Command(
        "session open",
        f"{_HERE}.session:open_",
        "Open a studio session for a song.",
        "tapelog session open sng-1 recording 'Pier Studio' --room B --as pty-rec",
    ),
    Command(
        "session list",
        f"{_HERE}.session:list_",
        "List the studio sessions of a song.",
        "tapelog session list sng-1 --as pty-rec",
    ),
    Command(
        "session show",
        f"{_HERE}.session:show",
        "Show a studio session.",
        "tapelog session show NAME --as pty-rec",
    ),
    Command(
        "session attend",
        f"{_HERE}.session:attend",
        "Note that somebody is there.",
        "tapelog session attend NAME pty-ana artist --as pty-rec",
    ),
    Command(
        "session equip",
        f"{_HERE}.session:equip",
        "Note what equipment is used.",
        "tapelog session equip NAME 'U 87' 'LA-2A' --as pty-rec",
    ),
    Command(
        "session contribute",
        f"{_HERE}.session:contribute",
        "Note who contributed what.",
        "tapelog session contribute NAME pty-ana musician --detail cello --as pty-rec",
    ),
    Command(
        "session confirm",
        f"{_HERE}.session:confirm",
        "Say that your contribution is noted right.",
        "tapelog session confirm NAME con-1 --as pty-ana",
    ),
    Command(
        "session dispute",
        f"{_HERE}.session:dispute",
        "Say that your contribution is not noted right.",
        "tapelog session dispute NAME con-1 'it was the viola' --as pty-ana",
    ),
    Command(
        "session close",
        f"{_HERE}.session:close",
        "End a studio session.",
        "tapelog session close NAME --as pty-rec",
    ),
    Command(
        "take define",
        f"{_HERE}.take_care:define_track",
        "Define a track before there is a take of it.",
        "tapelog take define sng-1 lead-vox 'Lead vocal' --as pty-rec",
    ),
    Command(
        "take require",
        f"{_HERE}.take_care:require",
        "Make a track required, or optional.",
        "tapelog take require sng-1 strings 'the part fell away' --optional --as pty-producer",
    ),
    Command(
        "take clean",
        f"{_HERE}.take_care:clean",
        "Upload a cleaned take that names its parent.",
        "tapelog take clean sng-1 tk-1 clean.wav --treatment de-hum --as pty-rec",
    ),
    Command(
        "take comp",
        f"{_HERE}.take_care:comp",
        "Put a track together from passages of its takes.",
        "tapelog take comp sng-1 lead-vox --region tk-1=0:00-0:12.5 --region tk-2=0:12.5-0:30 --as pty-rec",
    ),
    Command(
        "take waive",
        f"{_HERE}.take_care:waive",
        "Let a take pass although a check fails.",
        "tapelog take waive sng-1 tk-1 noise-floor 'the room belongs to it' --as pty-producer",
    ),
    Command(
        "take request",
        f"{_HERE}.take_care:request",
        "Ask for another take of a track.",
        "tapelog take request sng-1 lead-vox 'closer' --as pty-producer",
    ),
    Command(
        "mix alternates",
        f"{_HERE}.version_files:alternates",
        "Ask for alternates of a mix, such as an instrumental.",
        "tapelog mix alternates sng-1 alternates/instrumental.yaml --as pty-mia",
    ),
    Command(
        "mix stems",
        f"{_HERE}.version_files:stems",
        "Render the stems of a mix; they sum to it.",
        "tapelog mix stems sng-1 --as pty-mia",
    ),
    Command(
        "mix download",
        f"{_HERE}.version_files:download_mix",
        "Download the audio of a mix.",
        "tapelog mix download sng-1 2 -o mix-2.wav --as pty-ana",
    ),
    Command(
        "master download",
        f"{_HERE}.version_files:download_master",
        "Download the audio of a master.",
        "tapelog master download sng-1 -o master.wav --as pty-ana",
    ),
    Command(
        "note reopen",
        f"{_HERE}.note:reopen",
        "Let a note wait for an engineer again.",
        "tapelog note reopen sng-1 nt-1 'still too low' --as pty-ana",
    ),
    Command(
        "reject",
        f"{_HERE}.approval:reject",
        "Reject a version for good.",
        "tapelog reject sng-1 'wrong song form' --version mix-1 --as pty-producer",
    ),
    Command(
        "withdraw-approval",
        f"{_HERE}.approval:withdraw",
        "Take your approval back.",
        "tapelog withdraw-approval sng-1 'I hear a click' --version mix-2 --as pty-ana",
    ),
    Command(
        "waive",
        f"{_HERE}.approval:waive",
        "Waive a rule of taste for one version.",
        "tapelog waive sng-1 dry-lead 'it serves the words' --disagreement dis-1 --version mix-3 --as pty-producer",
    ),
    Command(
        "delivery hand-over",
        f"{_HERE}.delivery:hand_over",
        "Record that the package was handed over.",
        "tapelog delivery hand-over sng-1 pty-label --as pty-producer",
    ),
    Command(
        "delivery rebuild",
        f"{_HERE}.delivery:rebuild",
        "Make manifest and documents anew, and compare.",
        "tapelog delivery rebuild sng-1 --as pty-producer",
    ),
    Command(
        "delivery verify",
        f"{_HERE}.delivery:verify",
        "Copy the package to the archive, and read both copies.",
        "tapelog delivery verify sng-1 --as pty-producer",
    ),
)

STUDIO_GROUPS: Final = {"session": "Studio sessions: people, equipment, contributions."}
