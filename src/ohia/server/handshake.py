"""The server's half of the WebSocket handshake (RFC 6455, 4.2.2)."""

import binascii
import hashlib
from dataclasses import dataclass

from ohia.http.headers import Headers
from ohia.server.deflate import Deflate, negotiate
from ohia.server.response import render_fields, status_line

__all__ = ["Handshake", "accept_key", "answer_handshake"]

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


@dataclass(frozen=True, slots=True)
class Handshake:
    """An accepted handshake: what goes out, and what holds from then on."""

    text: str
    """The head of the 101, without the blank line."""
    subprotocol: str | None
    deflate: Deflate | None


def answer_handshake(
    request: Headers, response: Headers, *, date: str, subprotocol: str | None, compression: bool
) -> Handshake:
    """Accept the checked handshake of `request` with the fields of `response`.

    `date` is the line of the Date field, for a response without one.
    """
    line, deflate = negotiate(request, compression=compression)
    own = [
        status_line(101, None),
        "Upgrade: websocket\r\nConnection: Upgrade\r\n",
        f"Sec-WebSocket-Accept: {accept_key(request.get('sec-websocket-key', ''))}\r\n",
    ]
    if subprotocol is not None:
        own.append(f"Sec-WebSocket-Protocol: {subprotocol}\r\n")
    if line is not None:
        own.append(f"Sec-WebSocket-Extensions: {line}\r\n")
    others = response.copy()
    others.remove("upgrade")
    own.append(render_fields(others, date)[0])
    return Handshake("".join(own), subprotocol, deflate)


def accept_key(key: str) -> str:
    """Return the answer to a client's key.

    >>> accept_key("dGhlIHNhbXBsZSBub25jZQ==")
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    digest = hashlib.sha1(key.encode("latin-1") + GUID, usedforsecurity=False).digest()
    return binascii.b2a_base64(digest, newline=False).decode("ascii")
