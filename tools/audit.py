"""Looks the locked packages up among known vulnerabilities. A package that could not be looked up is a failure too.

python tools/audit.py [requirements.txt]

Exit code 0: every package was looked up and none is known to be vulnerable. 1: some are. 2: it could not be checked.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from lock_file import LOCK, Locked, read

SAFE: Final = 0
VULNERABLE: Final = 1
UNCHECKED: Final = 2
LIMIT_S: Final = 600
"""For all packages; one request each."""
SOCKET_S: Final = 15


def judge(report: dict[str, Any] | None, locked: list[Locked]) -> tuple[int, list[str]]:
    """Return the exit code and what to say, from pip-audit's report; None where it made none."""
    if report is None:
        return UNCHECKED, ["pip-audit made no report: nothing was checked"]
    seen = {item["name"]: item for item in report.get("dependencies", ())}
    lines: list[str] = []
    code = SAFE
    for package in locked:
        found = seen.get(package.name)
        if found is not None:
            for weakness in found.get("vulns", ()):
                code = VULNERABLE
                fixed = ", ".join(weakness.get("fix_versions", ())) or "no version"
                lines.append(f"{package.name} {package.version}: {weakness['id']}, mended in {fixed}")
    for package in locked:
        found = seen.get(package.name)
        if package.marker and (found is None or found.get("version", package.version) != package.version):
            continue  # for another platform: looked up where it is installed
        if found is None or found.get("skip_reason") or found.get("version") != package.version:
            reason = "it is not in the report" if found is None else found.get("skip_reason", "another version was")
            lines.append(f"{package.name} {package.version} was not checked: {reason}")
            code = code or UNCHECKED
    return code, lines


def look_up(lock: Path) -> tuple[dict[str, Any] | None, str]:
    """Return pip-audit's report, None where there is none, and what it said."""
    options = ("--format", "json", "--progress-spinner", "off", "--timeout", str(SOCKET_S))
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "-r", str(lock), *options]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return None, f"no answer within {LIMIT_S} s"
    try:
        report: dict[str, Any] = json.loads(answer.stdout)
    except ValueError:
        return None, answer.stderr.strip()[-500:]
    return report, ""


def main() -> int:
    """Check, and say what was found."""
    lock = Path(sys.argv[1]) if len(sys.argv) > 1 else LOCK
    locked = read(lock)
    report, trouble = look_up(lock)
    code, lines = judge(report, locked)
    for line in [*lines, *([trouble] if trouble else [])]:
        sys.stderr.write(line + "\n")
    if code == SAFE:
        here = len(report["dependencies"]) if report else 0
        print(
            f"{here} packages looked up, none is known to be vulnerable; {len(locked) - here} are for other platforms"
        )
    elif code == UNCHECKED:
        sys.stderr.write("not checked is not safe: run this where the vulnerability database can be reached\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
