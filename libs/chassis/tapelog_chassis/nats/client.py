"""The client package's connection, lighter where every command goes."""

from __future__ import annotations

import asyncio
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from .wire import Headers, Incoming, Receive, Taking, WholeMessages, hand_over, header_block, parse_header_lines


class CancellableClient(Client):
    """
    The client package's connection, without its habit of losing a cancellation, and lighter where every command goes.

    `publish` drops one that comes while it flushes, and `request` one that comes together with the answer (in Python
    3.11 `asyncio.wait_for` then returns the answer): a task that was told to end would go on for ever.
    """

    def __init__(self) -> None:
        super().__init__()
        self._requests = 0
        self._receivers: dict[int, Receive] = {}
        self._whole = self._ps = WholeMessages(self, self._receivers)

    async def publish(self, *arguments: Any, **options: Any) -> None:
        """Publish, see the client package; raises at the end what was asked for meanwhile and got lost."""
        task = asyncio.current_task()
        before = task.cancelling() if task is not None else 0
        await super().publish(*arguments, **options)
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError

    async def receive(self, subject: str, receive: Receive) -> Subscription:
        """
        Subscribe, and have messages handed over where they are read, in order, without a queue and a task.

        Parameters
        ----------
        subject
            What to subscribe to.
        receive
            Called with each message; never waits. What it raises is logged.
        """
        subscription = await self.subscribe(subject, pending_msgs_limit=0, pending_bytes_limit=0)
        self._receivers[subscription._id] = receive  # noqa: SLF001 - the number under which its messages come
        return subscription

    async def _process_connect_init(self) -> None:
        """Once a connection stands, be the first who reads it."""
        await super()._process_connect_init()
        reader = getattr(self._transport, "_io_reader", None)
        writer = getattr(self._transport, "_io_writer", None)
        if reader is None or writer is None:  # a websocket, of which the package reads every message
            return
        self._whole.begin(len(reader._buffer))  # noqa: SLF001 - what came behind the handshake and was not read yet
        writer.transport.set_protocol(Taking(self._whole, writer.transport.get_protocol()))

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        self._receivers.pop(sid, None)
        super()._remove_sub(sid, max_msgs)

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        """Hand over a message that came in pieces; see `WholeMessages` for the others."""
        receive = self._receivers.get(sid)
        if receive is None:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        self.stats["in_msgs"] += 1
        self.stats["in_bytes"] += len(data)
        hand_over(receive, Incoming(subject.decode(), reply.decode(), headers or b"", data))

    async def _request_new_style(
        self,
        subject: str,
        payload: bytes,
        timeout: float = 1,  # noqa: ASYNC109 - the client package's own parameter
        headers: dict[str, Any] | None = None,
    ) -> Msg:
        """
        Publish and wait for one answer, as the client package does, with a future and a timer and nothing else.

        The package makes a random token of its own and a task's worth of waiting for each request; what is counted up
        behind this connection's random prefix is as unlike any other's.
        """
        if self.is_draining_pubs:
            raise nats.errors.ConnectionDrainingError
        if self._resp_sub_prefix is None:
            await self._init_request_sub()
        prefix = (self._resp_sub_prefix or b"").decode()
        self._requests += 1
        token = f"{self._requests:x}"
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Msg] = loop.create_future()
        self._resp_map[token] = answer
        timer = loop.call_later(timeout, _time_out, answer)
        try:
            await self.publish(subject, payload, reply=f"{prefix}{token}", headers=headers)
            return await answer
        finally:
            timer.cancel()
            self._resp_map.pop(token, None)

    async def _init_request_sub(self) -> None:
        await super()._init_request_sub()
        answers = (sid for sid, sub in self._subs.items() if sub._cb == self._request_sub_callback)  # noqa: SLF001
        self._receivers[max(answers)] = self._on_answer

    def _on_answer(self, message: Incoming) -> None:
        """Give an answer to whoever waits for it at once."""
        waiting = self._resp_map.get(message.subject.rpartition(".")[2])
        if waiting is not None and not waiting.done():
            waiting.set_result(
                Msg(self, message.subject, message.reply, message.data, message.headers if message.block else None)
            )

    async def _send_publish(
        self, subject: str, reply: str, payload: bytes, payload_size: int, headers: dict[str, Any] | None
    ) -> None:
        """
        Send a message as the client package does, with its header block put together at once and not by letters.

        While nothing waits to be sent it is written here, and not by the package's task one round of the loop later.
        Who sends headers waits for an answer, so what lies in the transport is bounded by the calls that are served.
        """
        block = None
        if headers and subject:
            block = headers.block if isinstance(headers, Headers) else header_block(headers)
        if block is None:
            await super()._send_publish(subject, reply, payload, payload_size, headers)
            return
        self.stats["out_msgs"] += 1
        self.stats["out_bytes"] += payload_size
        sizes = f"{len(block)} {len(block) + payload_size}"
        command = f"HPUB {subject} {reply} {sizes}\r\n".encode() + block + payload + b"\r\n"
        if not self._pending and self.is_connected and self._transport is not None:
            self._transport.write(command)
            return
        await self._send_command(command)
        if self._flush_queue is not None and self._flush_queue.empty():
            await self._flush_pending()

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        return parse_header_lines(raw)


async def subscribe(connection: Client, subject: str, receive: Receive) -> Subscription:
    """Subscribe on a connection that `connect` made; see `CancellableClient.receive`."""
    if not isinstance(connection, CancellableClient):
        raise TypeError(f"{type(connection).__name__} hands nothing over: make it with `connect`")
    return await connection.receive(subject, receive)


def _time_out(answer: asyncio.Future[Msg]) -> None:
    if not answer.done():
        answer.set_exception(nats.errors.TimeoutError())
