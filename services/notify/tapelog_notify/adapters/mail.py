"""Mail by SMTP, from the standard library, in a thread for as long as a server may take."""

import asyncio
import smtplib
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final, Literal

from tapelog_notify.application.ports import Answer

TIMEOUT_S: Final = 15.0
ACCEPTED: Final = 250
ERROR_CHARS_MAX: Final = 300


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in, and from whom."""

    host: str
    port: int
    sender: str
    username: str = ""
    password: str = ""
    security: Literal["none", "starttls", "tls"] = "starttls"

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port}, {self.security})"


class SmtpMail:
    """`Mail` by SMTP; without a server it is not possible."""

    def __init__(self, server: MailServer | None) -> None:
        self._server = server

    def __repr__(self) -> str:
        return f"SmtpMail({self._server})"

    @property
    def is_possible(self) -> bool:
        """See `Mail.is_possible`."""
        return self._server is not None

    async def send(self, to: Sequence[str], subject: str, text: str, *, message_id: str) -> Answer:
        """See `Mail.send`."""
        if self._server is None:
            return Answer(0, "this installation has no mail server (TAPELOG_SMTP_HOST)", 0.0)
        began_s = time.perf_counter()
        status, error = await asyncio.to_thread(_hand_in, self._server, to, subject, text, message_id)
        return Answer(status, error[:ERROR_CHARS_MAX], time.perf_counter() - began_s)


def _hand_in(server: MailServer, to: Sequence[str], subject: str, text: str, message_id: str) -> tuple[int, str]:
    message = EmailMessage(policy=SMTP)
    message["From"] = server.sender
    message["To"] = ", ".join(to)
    message["Subject"] = subject
    # The same on every attempt: mail programs show a repeated message once.
    message["Message-ID"] = f"<{message_id}@{server.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    try:
        context = ssl.create_default_context()
        with _connect(server, context) as client:
            if server.security == "starttls":
                client.starttls(context=context)
            if server.username:
                client.login(server.username, server.password)
            refused = client.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        code, refusal = next(iter(error.recipients.values()))
        return code, f"SMTP {code}: {refusal.decode(errors='replace')}"
    except smtplib.SMTPResponseException as error:
        said = error.smtp_error
        text = said.decode(errors="replace") if isinstance(said, bytes) else said
        return error.smtp_code, f"SMTP {error.smtp_code}: {text}"
    except (smtplib.SMTPException, OSError, ValueError) as error:
        return 0, f"{type(error).__name__}: {error}"
    # Some recipients refused and some not: a repeat would reach the others twice.
    return ACCEPTED, "" if not refused else f"{len(refused)} of {len(to)} addresses were refused"


def _connect(server: MailServer, context: ssl.SSLContext) -> smtplib.SMTP:
    if server.security == "tls":
        return smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=context)
    return smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)
