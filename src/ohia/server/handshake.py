"""The server's half of the WebSocket handshake (RFC 6455, 4.2.2; RFC 7692, 5)."""

import binascii
import hashlib
import zlib
from dataclasses import dataclass
from typing import Any

from websockets.exceptions import InvalidHeader, NegotiationError
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import (
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import Frame
from websockets.headers import build_extension, parse_extension
from websockets.typing import ExtensionName

from ohia.http.headers import Headers
from ohia.server.response import read_fields, status_line

__all__ = ["Handshake", "accept_key", "answer_handshake", "negotiate"]

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
# Windows of 4 KiB: 44 KiB of memory a socket instead of 300, for a little more on the wire.
DEFLATE = ServerPerMessageDeflateFactory(
    server_max_window_bits=12, client_max_window_bits=12, compress_settings={"memLevel": 5}
)
NAME = ExtensionName("permessage-deflate")


class LazyDeflate(PerMessageDeflate):
    """permessage-deflate that makes its 40 KiB of zlib with the first message each way."""

    def __init__(self, agreed: PerMessageDeflate) -> None:
        # Not by the base's own: that would make what is to be made later.
        vars(self).update(vars(agreed))
        vars(self).pop("encoder", None)
        vars(self).pop("decoder", None)

    def encode(self, frame: Frame) -> Frame:
        """Compress a message."""
        if not self.local_no_context_takeover and not hasattr(self, "encoder"):
            self.encoder: Any = zlib.compressobj(
                wbits=-self.local_max_window_bits, **self.compress_settings
            )
        return super().encode(frame)

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        """Inflate a message."""
        if frame.rsv1 and not self.remote_no_context_takeover and not hasattr(self, "decoder"):
            self.decoder: Any = zlib.decompressobj(wbits=-self.remote_max_window_bits)
        return super().decode(frame, max_size=max_size)


@dataclass(frozen=True, slots=True)
class Handshake:
    """An accepted handshake: what goes out, and what holds from then on."""

    text: str
    """The head of the 101, without Date and the blank line."""
    subprotocol: str | None
    extensions: list[Extension]


def answer_handshake(
    request: Headers, response: Headers, *, subprotocol: str | None, compression: bool
) -> Handshake:
    """Accept the checked handshake of `request` with the fields of `response`."""
    line, extensions = negotiate(request, compression=compression)
    own = [
        status_line(101, "Switching Protocols"),
        "Upgrade: websocket\r\nConnection: Upgrade\r\n",
        f"Sec-WebSocket-Accept: {accept_key(request.get('sec-websocket-key', ''))}\r\n",
    ]
    if subprotocol is not None:
        own.append(f"Sec-WebSocket-Protocol: {subprotocol}\r\n")
    if line is not None:
        own.append(f"Sec-WebSocket-Extensions: {line}\r\n")
    others = response.copy()
    others.remove("upgrade")
    own.append(read_fields(others).text)
    return Handshake("".join(own), subprotocol, extensions)


def accept_key(key: str) -> str:
    """Return the answer to a client's key.

    >>> accept_key("dGhlIHNhbXBsZSBub25jZQ==")
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    digest = hashlib.sha1(key.encode("latin-1") + GUID, usedforsecurity=False).digest()
    return binascii.b2a_base64(digest, newline=False).decode("ascii")


def negotiate(request: Headers, *, compression: bool) -> tuple[str | None, list[Extension]]:
    """Return the extension field to answer, and the extension; nothing for what is malformed."""
    if not compression:
        return None, []
    try:
        offers = [
            offer
            for line in request.get_all("sec-websocket-extensions")
            for offer in parse_extension(line)
        ]
    except InvalidHeader:
        return None, []
    for name, params in offers:
        if name != NAME:
            continue
        try:
            agreed, extension = DEFLATE.process_request_params(params, [])
        except NegotiationError:
            continue
        return build_extension([(NAME, agreed)]), [LazyDeflate(extension)]
    return None, []
