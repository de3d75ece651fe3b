"""A load of WebSocket messages: `socket_load.py PORT CONNECTIONS BYTES SECONDS`.

Each connection sends its next message when the last came back; the lengths are checked, and the
first echo of each connection byte by byte. Prints what wrk's script prints: a line of JSON, with
latencies in microseconds. SECONDS of 0 checks only: a text and a binary message come back in kind.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

HOST = "127.0.0.1"


class Echo(WSListener):
    """One connection of the load."""

    def __init__(self, message: bytes, kind: WSMsgType, finish: Callable[[str], None]) -> None:
        self.message, self.kind, self.finish = message, kind, finish
        self.delays: list[float] = []
        self.received = 0
        self.is_checked = False
        self.is_over = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.sent_at = time.perf_counter()
        self.transport.send(self.kind, self.message)

    def on_ws_frame(self, _transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type in (WSMsgType.PING, WSMsgType.PONG):
            return self.answer_ping(frame)
        if frame.msg_type not in (self.kind, WSMsgType.CONTINUATION):
            return self.fail(f"got a {frame.msg_type} for a {self.kind}")
        if not self.is_checked and not self.has_expected(frame):
            return self.fail("an echo differs from what was sent")
        self.received += len(frame.get_payload_as_memoryview())
        if frame.fin:
            self.message_came()
        return None

    def answer_ping(self, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.PING:
            self.transport.send_pong(frame.get_payload_as_bytes())

    def has_expected(self, frame: WSFrame) -> bool:
        part = frame.get_payload_as_bytes()
        return self.message[self.received :][: len(part)] == part

    def message_came(self) -> None:
        if self.received != len(self.message):
            return self.fail(f"{self.received} of {len(self.message)} bytes came back")
        self.delays.append(time.perf_counter() - self.sent_at)
        self.received, self.is_checked = 0, True
        if self.is_over:
            self.transport.disconnect()
        else:
            self.send()
        return None

    def on_ws_disconnected(self, _transport: WSTransport) -> None:
        self.fail("" if self.is_over else "the server closed a connection")

    def fail(self, reason: str) -> None:
        self.is_over = True
        self.finish(reason)


async def load(
    port: int, connections: int, message: bytes, kind: WSMsgType, seconds: float
) -> dict[str, int]:
    """Send messages for so long; return what was counted, or exit with what went wrong."""
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def finish(reason: str) -> None:
        if reason and not ended.done():
            ended.set_result(reason)

    url = f"ws://{HOST}:{port}/"
    started = time.perf_counter()
    pairs = [await ws_connect(lambda: Echo(message, kind, finish), url) for _ in range(connections)]
    done, _ = await asyncio.wait([ended], timeout=seconds)
    if done:
        sys.exit(ended.result())
    echoes = [listener for _, listener in pairs]
    return counted_by(echoes, time.perf_counter() - started)


def counted_by(echoes: list[Echo], seconds: float) -> dict[str, int]:
    delays = sorted(delay for echo in echoes for delay in echo.delays)
    if not delays:
        sys.exit("not one message came back")
    counted = {"requests": len(delays), "micros": round(seconds * 1e6)}
    counted["bytes"] = len(delays) * len(echoes[0].message)
    counted |= dict.fromkeys(["connect", "read", "write", "timeout", "status"], 0)
    return counted | {f"p{p}": round(delays[len(delays) * p // 100] * 1e6) for p in (50, 99)}


async def check(port: int, size: int) -> None:
    """Send a text and a binary message; exit unless both come back as they were."""
    for kind in (WSMsgType.TEXT, WSMsgType.BINARY):
        await load(port, 1, (b"0123456789abcdef" * (size // 16 + 1))[:size], kind, 0.2)
    print("{}")


def main(port: int, connections: int, size: int, seconds: int) -> None:
    if not seconds:
        return uvloop.run(check(port, size))
    message = (bytes(range(256)) * (size // 256 + 1))[:size]
    counted = uvloop.run(load(port, connections, message, WSMsgType.BINARY, seconds))
    return print(json.dumps(counted))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
