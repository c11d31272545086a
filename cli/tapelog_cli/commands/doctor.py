"""`tapelog doctor`."""

from pathlib import Path

from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import DataDir, Json, data_dir_or_default


def doctor(*, data_dir: DataDir = None, json: Json = False) -> int:
    """Check the interpreter, packages, DSP kernels, broker, loopback, disk and data folder; say what to do."""
    from tapelog_cli.installation.diagnosis import diagnose
    from tapelog_cli.printed.output import out, print_json, table

    folder: Path = data_dir_or_default(data_dir)
    findings = diagnose(folder)
    if json:
        print_json([finding._asdict() for finding in findings])
    else:
        rows = table("check", "", "found", "what to do")
        for finding in findings:
            mark = "[green]ok[/green]" if finding.ok else "[red]wrong[/red]"
            rows.add_row(finding.check, mark, finding.found, finding.advice)
        out().print(rows)
    return ExitCode.OK if all(finding.ok for finding in findings) else ExitCode.CONFIG
