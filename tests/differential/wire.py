"""ohia behind its own server: raw requests over a socket, raw responses back."""

import asyncio
from collections.abc import Mapping
from typing import Any

from ohia import Server
from ohia.exchange import Exchange

from .ohia_side import Prepared, prepare

__all__ = ["Wire"]

PATIENCE = 5  # seconds without an answer before a case counts as hanging


class Relay:
    """Hands each exchange to the application of the case that runs."""

    draining = False

    def __init__(self) -> None:
        self.prepared: Prepared | None = None

    async def handle(self, exchange: Exchange) -> None:
        assert self.prepared is not None
        await self.prepared.app.handle(exchange)

    async def startup(self) -> None:
        pass

    async def shutdown(self) -> None:
        pass


class Wire:
    """A server on loopback for one case at a time."""

    def __init__(self) -> None:
        self._relay = Relay()
        self.server = Server(self._relay)

    async def start(self) -> None:
        """Listen."""
        await self.server.listen(0).start()

    async def run_context(self, case: Mapping[str, Any]) -> dict[str, Any]:
        """Return what `driver.js` returns for the area `ctx`."""
        prepared = self._relay.prepared = prepare(case)
        raw = await asyncio.wait_for(self._exchange(case["request"]), PATIENCE)
        return {
            "results": prepared.results,
            "errors": prepared.errors,
            "answer": {**parse(raw), "hangs": False},
        }

    async def _exchange(self, request: Mapping[str, Any]) -> bytes:
        reader, writer = await asyncio.open_connection(*self.server.address)
        try:
            writer.write(render(request))
            return await reader.read(-1)
        finally:
            writer.close()
            await writer.wait_closed()


def render(request: Mapping[str, Any]) -> bytes:
    """Return the bytes of a request, which asks to close the connection behind it."""
    lines = [f"{request['method']} {request['target']} HTTP/{request['version']}"]
    lines += [f"{name}: {value}" for name, value in [*request["headers"], ["Connection", "close"]]]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def parse(raw: bytes) -> dict[str, Any]:
    """Return the parts of a response, as `driver.js` has them."""
    head, _, rest = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    _, status, reason = first.split(" ", 2)
    headers = [
        [name.lower(), value.strip()] for name, _, value in (x.partition(":") for x in lines)
    ]
    is_chunked = ["transfer-encoding", "chunked"] in headers
    body, whole = dechunk(rest) if is_chunked else (rest, True)
    return {
        "status": int(status),
        "reason": reason,
        "headers": headers,
        "body": body.hex(),
        "whole": whole,
    }


def dechunk(rest: bytes) -> tuple[bytes, bool]:
    """Return the body in chunks `rest`, and whether it is whole."""
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            return body, True
        body += rest[:length]
        rest = rest[length + 2 :]
    return body, False
