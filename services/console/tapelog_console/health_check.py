"""Ask a console whether it serves, as a container's health check does: `python -m tapelog_console.health_check`.

It reads the console's own `TAPELOG_…` settings: the certificate it trusts is the console's own, which it also shows
where the console asks for one.
"""

import http.client
import ssl
import sys
from typing import Final
from urllib.parse import urlsplit

from pydantic import ValidationError
from tapelog_chassis.lifecycle import EXIT_CONFIG, EXIT_CRASH, EXIT_OK

from .settings import ConsoleSettings

TIMEOUT_S: Final = 5.0
ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


def ask(settings: ConsoleSettings) -> str:
    """Return what a console answers at `/healthz`: "serving", or its status; raises `OSError` without one."""
    host = ANY_ADDRESS.get(settings.host, settings.host)
    tls = _tls(settings)
    connection = (
        http.client.HTTPConnection(host, settings.port, timeout=TIMEOUT_S)
        if tls is None
        else http.client.HTTPSConnection(host, settings.port, timeout=TIMEOUT_S, context=tls)
    )
    try:
        # It answers to its own name alone.
        name = urlsplit(settings.public_url).netloc or f"{host}:{settings.port}"
        connection.request("GET", "/healthz", headers={"Host": name})
        answer = connection.getresponse()
        said = answer.read(64).decode(errors="replace").strip()
        return said if answer.status == http.client.OK else f"{answer.status} {answer.reason}"
    finally:
        connection.close()


def main() -> int:
    """Print the answer; 0 when it is "serving", 1 when it is not, 78 when the settings are wrong."""
    try:
        settings = ConsoleSettings()
        answer = ask(settings)
    except ValidationError as wrong:
        sys.stderr.write(f"health check cannot ask: {wrong}\n")
        return EXIT_CONFIG
    except (OSError, http.client.HTTPException) as failure:
        answer = f"no answer: {failure}"
    sys.stdout.write(f"{answer}\n")
    return EXIT_OK if answer == "serving" else EXIT_CRASH


def _tls(settings: ConsoleSettings) -> ssl.SSLContext | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    context = ssl.create_default_context(cafile=str(settings.tls_certificate))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the certificate itself is what is trusted, not who signed
    context.check_hostname = False  # it is the console's own file, whatever name it is asked by here
    context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    return context


if __name__ == "__main__":
    sys.exit(main())
