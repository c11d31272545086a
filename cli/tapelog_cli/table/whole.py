"""Every command: its words, where its function is, what it does, and an example."""

from typing import Final

from tapelog_cli.table.production import PRODUCTION, PRODUCTION_GROUPS
from tapelog_cli.table.release import RELEASE, RELEASE_GROUPS
from tapelog_cli.table.row import Command
from tapelog_cli.table.studio import STUDIO, STUDIO_GROUPS

COMMANDS: Final = (
    Command(
        "up",
        "tapelog_cli.commands.up:up",
        "Run the whole system on this machine until Ctrl-C.",
        "tapelog up --data-dir studio",
    ),
    Command(
        "demo",
        "tapelog_cli.commands.demo:demo",
        "Take a real song from raw stems to a delivered master, through the real services.",
        "tapelog demo --out out",
    ),
    Command(
        "meter",
        "tapelog_cli.desk.meter:meter",
        "Measure loudness, range and true peak of audio files. Needs no services.",
        "tapelog meter mix.wav stems/*.flac",
    ),
    Command(
        "mix",
        "tapelog_cli.desk.mix:mix",
        "Mix a recipe into audio files; the same recipe gives the same bytes. Needs no services.",
        "tapelog mix examples/lithium/mix-2.yaml -o mix.wav",
    ),
    Command(
        "automix",
        "tapelog_cli.desk.automix:automix",
        "Make a first mix recipe from stems, each move with its reason. Needs no services.",
        "tapelog automix examples/lithium/song.yaml -o examples/lithium/first-mix.yaml --explain",
    ),
    Command(
        "master",
        "tapelog_cli.desk.master:master",
        "Master a mix to a loudness target under a true-peak ceiling. Needs no services.",
        "tapelog master mix.wav -o master.wav --target streaming --report master.html",
    ),
    Command(
        "targets",
        "tapelog_cli.desk.targets:targets",
        "List delivery targets: the published ones, and your own. Needs no services.",
        "tapelog targets --targets my.toml",
    ),
    Command(
        "album",
        "tapelog_cli.desk.album:album",
        "Master an album: one gain for all songs, gaps, fades, a cue sheet. Needs no services.",
        "tapelog album one.wav two.wav -o album --target streaming --whole",
    ),
    Command(
        "repair",
        "tapelog_cli.desk.repair:repair",
        "Mend a damaged take, and say what was proved and done; a sound one is left alone. Needs no services.",
        "tapelog repair take.wav -o mended.wav",
    ),
    Command(
        "compare",
        "tapelog_cli.desk.compare:compare",
        "Say what changed from one mix, master or recipe to another. Needs no services.",
        "tapelog compare mix-1.wav mix-2.wav",
    ),
    Command(
        "check",
        "tapelog_cli.desk.check:check",
        "Judge a master on other loudspeakers, in mono, on platforms and after codecs. Needs no services.",
        "tapelog check master.wav --report check.html",
    ),
    Command(
        "report",
        "tapelog_cli.desk.report:report",
        "Write a page to send: sound, verdicts, what changed; of files, or with decisions, of a version or delivery.",
        "tapelog report master.wav --compare mix.wav -o report.html",
    ),
    Command(
        "import",
        "tapelog_cli.desk.sessions:import_session",
        "Read a DAWproject or Reaper session as a recipe, with a report of what did not travel. Needs no services.",
        "tapelog import song.dawproject -o song",
    ),
    Command(
        "export",
        "tapelog_cli.desk.sessions:export_session",
        "Write a recipe with its audio as DAWproject. Needs no services.",
        "tapelog export examples/lithium/mix-2.yaml -o lithium.dawproject",
    ),
    Command(
        "tags show",
        "tapelog_cli.desk.tags:show_tags",
        "Print the broadcast tags (bext, iXML) of a WAV file. Needs no services.",
        "tapelog tags show take.wav",
    ),
    Command(
        "tags write",
        "tapelog_cli.desk.tags:write_tags",
        "Write broadcast tags into a WAV file: time reference, loudness, scene, take. Needs no services.",
        "tapelog tags write master.wav -o master.wav --originator Tapelog --loudness",
    ),
    Command(
        "status",
        "tapelog_cli.commands.status:status",
        "Say what runs on a data folder, and how it is.",
        "tapelog status --json",
    ),
    Command(
        "doctor",
        "tapelog_cli.commands.doctor:doctor",
        "Check the installation and say what to do.",
        "tapelog doctor",
    ),
    Command(
        "sign-in",
        "tapelog_cli.commands.sign_in:sign_in",
        "Print a link that signs a person in to the review page, once.",
        "tapelog sign-in pty-producer",
    ),
    Command(
        "token",
        "tapelog_cli.commands.token:token",
        "Print a short-lived token for another program, such as grpcurl.",
        "tapelog token pty-producer",
    ),
    Command(
        "events tail",
        "tapelog_cli.commands.events:tail",
        "Print public events as they happen, one JSON object a line.",
        "tapelog events tail --from 0 --type 'tapelog.song.*' --as pty-producer",
    ),
    Command(
        "events replay",
        "tapelog_cli.commands.events:replay",
        "Print public events of the past, one JSON object a line, and end.",
        "tapelog events replay --from 0 --type 'tapelog.song.*' --as pty-producer",
    ),
    Command(
        "subscription list",
        "tapelog_cli.commands.subscription:list_",
        "List who gets which events, and how delivery is.",
        "tapelog subscription list --as pty-admin",
    ),
    Command(
        "subscription create",
        "tapelog_cli.commands.subscription:create",
        "Create a webhook, or a NATS consumer; its secret is printed once.",
        "tapelog subscription create Billing --url https://billing.example/hook --type 'tapelog.usage_*' --as pty-1",
    ),
    Command(
        "subscription rotate",
        "tapelog_cli.commands.subscription:rotate",
        "Replace a webhook's signing secret, with overlap.",
        "tapelog subscription rotate sub-1 --as pty-admin",
    ),
    Command(
        "subscription test",
        "tapelog_cli.commands.subscription:post_test",
        "Post a test delivery to a webhook, and say what became of it.",
        "tapelog subscription test sub-1 --as pty-admin",
    ),
    Command(
        "subscription pause",
        "tapelog_cli.commands.subscription:pause",
        "Pause delivery; nothing is lost.",
        "tapelog subscription pause sub-1 --reason maintenance --as pty-admin",
    ),
    Command(
        "subscription resume",
        "tapelog_cli.commands.subscription:resume",
        "Go on where delivery stopped.",
        "tapelog subscription resume sub-1 --as pty-admin",
    ),
    Command(
        "subscription delete",
        "tapelog_cli.commands.subscription:delete",
        "Remove a subscription.",
        "tapelog subscription delete sub-1 --as pty-admin",
    ),
    Command(
        "subscription deliveries",
        "tapelog_cli.commands.subscription:deliveries",
        "List a webhook's newest delivery attempts.",
        "tapelog subscription deliveries sub-1 --count 50 --as pty-admin",
    ),
    Command(
        "subscription redeliver",
        "tapelog_cli.commands.subscription:redeliver",
        "Post one event to a webhook again.",
        "tapelog subscription redeliver sub-1 1234 --as pty-admin",
    ),
    Command(
        "subscription replay",
        "tapelog_cli.commands.subscription:replay",
        "Post a range of events to a webhook again.",
        "tapelog subscription replay sub-1 --from 1200 --to 1300 --as pty-admin",
    ),
    Command(
        "alert list",
        "tapelog_cli.commands.alert:list_",
        "List the open alerts.",
        "tapelog alert list --as pty-admin",
    ),
    Command(
        "alert rules",
        "tapelog_cli.commands.alert:rules",
        "List the alert rules.",
        "tapelog alert rules --as pty-admin",
    ),
    Command(
        "alert add",
        "tapelog_cli.commands.alert:add",
        "Create alert rules from a file.",
        "tapelog alert add examples/alerts/rules.yaml --as pty-admin",
    ),
    Command(
        "alert remove",
        "tapelog_cli.commands.alert:remove",
        "Remove an alert rule.",
        "tapelog alert remove alr-1 --as pty-admin",
    ),
    Command(
        "alert send",
        "tapelog_cli.commands.alert:send",
        "Have alerts sent to a Slack channel, or by e-mail.",
        "tapelog alert send 'Studio' --slack https://hooks.slack.com/services/… --as pty-admin",
    ),
    Command(
        "alert snooze",
        "tapelog_cli.commands.alert:snooze",
        "Make an open alert silent for a while.",
        "tapelog alert snooze alt-1 --hours 8 --reason 'known' --as pty-admin",
    ),
    Command(
        "alert resolve",
        "tapelog_cli.commands.alert:resolve",
        "Say that an alert is over.",
        "tapelog alert resolve alt-1 --reason 'rendered again' --as pty-admin",
    ),
    Command(
        "usage statement",
        "tapelog_cli.commands.usage:statement",
        "Price what a project used in a period, by rate cards; print it as CSV or JSON.",
        "tapelog usage statement prj-1 --start 2026-07-01 --end 2026-08-01 --rates rate-card.yaml --as pty-producer",
    ),
    Command(
        "broker-init",
        "tapelog_cli.commands.deployment:broker_init",
        "Make the keys and the broker configuration of parts that run as processes or containers of their own.",
        "tapelog broker-init --out deployment",
    ),
    Command(
        "provision",
        "tapelog_cli.commands.deployment:provision",
        "Create the streams and consumers on a broker that runs on its own.",
        "tapelog provision --nats-url tls://127.0.0.1:4222 --creds deployment/creds/admin.creds "
        "--tls-ca deployment/tls/ca.pem",
    ),
    Command(
        "access revoke",
        "tapelog_cli.commands.access:revoke",
        "Let a party in no more.",
        "tapelog access revoke pty-ana --data-dir studio",
    ),
    Command(
        "access restore",
        "tapelog_cli.commands.access:restore",
        "Let a revoked party in again.",
        "tapelog access restore pty-ana --data-dir studio",
    ),
    Command(
        "access rotate-key",
        "tapelog_cli.commands.access:rotate_key",
        "Sign tokens with a new key.",
        "tapelog access rotate-key --data-dir studio",
    ),
    Command(
        "audit show",
        "tapelog_cli.commands.audit:show",
        "Show who asked for what, and whether they got it.",
        "tapelog audit show --data-dir studio --denied",
    ),
    Command(
        "audit verify",
        "tapelog_cli.commands.audit:verify",
        "Check that no record of access was changed.",
        "tapelog audit verify --data-dir studio",
    ),
    Command(
        "verify",
        "tapelog_cli.commands.verify:verify",
        "Check every event, chain and anchor of the log, and with --objects all audio; running or stopped.",
        "tapelog verify --data-dir studio --objects",
    ),
    Command(
        "backup",
        "tapelog_cli.commands.backup:backup",
        "Copy a data folder while it runs: log, keys, journals and new audio.",
        "tapelog backup --data-dir studio --to /media/disk/studio-backup",
    ),
    Command(
        "restore",
        "tapelog_cli.commands.backup:restore",
        "Put a backup into a new data folder, checked before and after.",
        "tapelog restore --from /media/disk/studio-backup --data-dir studio-2",
    ),
    *PRODUCTION,
    *RELEASE,
    *STUDIO,
)

GROUPS: Final = {
    **PRODUCTION_GROUPS,
    **RELEASE_GROUPS,
    **STUDIO_GROUPS,
    "access": "Who is let in.",
    "audit": "Who asked for what.",
    "tags": "Broadcast tags of WAV files.",
    "song": "Songs.",
    "events": "The public event stream.",
    "usage": "What is billed.",
    "subscription": "Who gets which events: webhooks and NATS consumers.",
    "alert": "Alert rules, and what they raised.",
}
