"""The commands about decisions, deliveries and renders."""

from typing import Final

from tapelog_cli.table.row import Command

_HERE: Final = "tapelog_cli.commands"

RELEASE: Final = (
    Command(
        "disagreement open",
        f"{_HERE}.disagreement:open_",
        "Open a disagreement; it keeps the gates closed.",
        "tapelog disagreement open sng-1 'echo on the lead?' --on mix-1 --rule dry-lead --as pty-producer",
    ),
    Command(
        "disagreement list",
        f"{_HERE}.disagreement:list_",
        "List the disagreements of a song.",
        "tapelog disagreement list sng-1 --as pty-producer",
    ),
    Command(
        "disagreement state",
        f"{_HERE}.disagreement:state",
        "Say what concerns you.",
        "tapelog disagreement state sng-1 dis-1 'the words drown' --wish 'no echo' --as pty-ana",
    ),
    Command(
        "disagreement propose",
        f"{_HERE}.disagreement:propose",
        "Propose an option.",
        "tapelog disagreement propose sng-1 dis-1 short 'a short slap in the chorus' --on mix-3 --as pty-mia",
    ),
    Command(
        "disagreement decide",
        f"{_HERE}.disagreement:decide",
        "Decide a disagreement, as the producer.",
        "tapelog disagreement decide sng-1 dis-1 adopt 'it serves the words' --option short --as pty-producer",
    ),
    Command(
        "disagreement consent",
        f"{_HERE}.disagreement:consent",
        "Consent to a decision.",
        "tapelog disagreement consent sng-1 dis-1 --as pty-ana",
    ),
    Command(
        "disagreement close",
        f"{_HERE}.disagreement:close",
        "End a disagreement that is decided.",
        "tapelog disagreement close sng-1 dis-1 --as pty-producer",
    ),
    Command(
        "delivery build",
        f"{_HERE}.delivery:build",
        "Build a delivery package.",
        "tapelog delivery build sng-1 MX --as pty-max",
    ),
    Command(
        "delivery show",
        f"{_HERE}.delivery:show",
        "Show a delivery package and its files.",
        "tapelog delivery show sng-1 --as pty-label",
    ),
    Command(
        "delivery accept",
        f"{_HERE}.delivery:accept",
        "Accept the final package, as the label.",
        "tapelog delivery accept sng-1 --as pty-label",
    ),
    Command(
        "delivery return",
        f"{_HERE}.delivery:return_",
        "Return a delivery package with a reason, as the label.",
        "tapelog delivery return sng-1 'vocal too low in chorus 2' --to mixing --as pty-label",
    ),
    Command(
        "delivery download",
        f"{_HERE}.delivery:download",
        "Download every file of a package.",
        "tapelog delivery download sng-1 --out release --as pty-label",
    ),
    Command(
        "credits export",
        f"{_HERE}.credits:export",
        "Write the credits of a song as RIN-shaped XML.",
        "tapelog credits export sng-1 -o credits.xml --as pty-producer",
    ),
    Command(
        "render create",
        f"{_HERE}.render:create",
        "Queue a render job that belongs to no version, or estimate it.",
        "tapelog render create job.yaml --estimate --as pty-producer",
    ),
    Command(
        "render mix",
        f"{_HERE}.render_kinds:mix",
        "Render a mix or an alternate, without proposing a version.",
        "tapelog render mix sng-1 mix.yaml --mute vocal --as pty-mixer",
    ),
    Command(
        "render master",
        f"{_HERE}.render_kinds:master",
        "Render a master of a stored mix, without proposing a version.",
        "tapelog render master sng-1 master.yaml 9f86d081… --as pty-master",
    ),
    Command(
        "render preview",
        f"{_HERE}.render_kinds:preview",
        "Render a passage at a stated loudness.",
        "tapelog render preview sng-1 mix.yaml 1:02.5-1:10 --loudness-lufs -20 --as pty-mixer",
    ),
    Command(
        "render stems",
        f"{_HERE}.render_kinds:stems",
        "Render a mix into stems that sum to it.",
        "tapelog render stems sng-1 mix.yaml --stem drums=kick,snare --stem vox=vocal --as pty-mixer",
    ),
    Command(
        "render comp",
        f"{_HERE}.render_kinds:comp",
        "Put one recording together from passages of takes.",
        "tapelog render comp sng-1 comp.yaml --as pty-producer",
    ),
    Command(
        "render album",
        f"{_HERE}.render_kinds:album",
        "Master songs as one album.",
        "tapelog render album sng-1 album.yaml --estimate --as pty-master",
    ),
    Command(
        "render analyze",
        f"{_HERE}.render_kinds:analyze",
        "Decode and measure a file of the project.",
        "tapelog render analyze sng-1 9f86d081… --json --as pty-producer",
    ),
    Command(
        "render repair",
        f"{_HERE}.render_kinds:repair",
        "Repair a file of the project where a defect is proved.",
        "tapelog render repair sng-1 9f86d081… --tool click --as pty-producer",
    ),
    Command(
        "batch create",
        f"{_HERE}.render:create_batch",
        "Queue a batch of render jobs, or estimate it.",
        "tapelog batch create jobs.yaml --estimate --as pty-producer",
    ),
    Command(
        "render list",
        f"{_HERE}.render:list_",
        "List render jobs.",
        "tapelog render list --project prj-1 --as pty-producer",
    ),
    Command(
        "render show",
        f"{_HERE}.render:show",
        "Show a render job.",
        "tapelog render show renderJobs/job-1 --as pty-producer",
    ),
    Command(
        "render watch",
        f"{_HERE}.render:watch",
        "Follow a render job until it ends.",
        "tapelog render watch renderJobs/job-1 --as pty-producer",
    ),
    Command(
        "render cancel",
        f"{_HERE}.render:cancel",
        "Cancel a render job.",
        "tapelog render cancel renderJobs/job-1 --reason 'wrong recipe' --as pty-producer",
    ),
    Command(
        "render verify",
        f"{_HERE}.render:verify",
        "Render a finished job again, and compare the samples.",
        "tapelog render verify renderJobs/job-1 --as pty-producer",
    ),
    Command(
        "batch show",
        f"{_HERE}.render:show_batch",
        "Show a batch of render jobs.",
        "tapelog batch show batches/bat-1 --as pty-producer",
    ),
    Command(
        "completion",
        f"{_HERE}.completion:completion",
        "Print a completion script for your shell.",
        "tapelog completion bash",
    ),
)

RELEASE_GROUPS: Final = {
    "disagreement": "Disagreements and decisions.",
    "delivery": "Packages for the label.",
    "credits": "Credits.",
    "render": "Render jobs.",
    "batch": "Batches of render jobs.",
}
