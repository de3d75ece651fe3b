"""permessage-deflate, a server's half of it: what was agreed on, and its zlib (RFC 7692, 7)."""

import zlib
from math import inf
from typing import Any

from websockets.exceptions import (
    InvalidHeader,
    NegotiationError,
    PayloadTooBig,
    ProtocolError,
)
from websockets.extensions.permessage_deflate import (
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.headers import build_extension, parse_extension
from websockets.typing import ExtensionName

from ohia.http.headers import Headers

__all__ = ["Deflate", "negotiate"]

NAME = ExtensionName("permessage-deflate")
# Windows of 4 KiB: 44 KiB of memory a socket instead of 300, for a little more on the wire.
WINDOW, MEMORY_LEVEL = 12, 5
FACTORY = ServerPerMessageDeflateFactory(
    server_max_window_bits=WINDOW,
    client_max_window_bits=WINDOW,
    compress_settings={"memLevel": MEMORY_LEVEL},
)
END = b"\x00\x00\xff\xff"  # of a flushed message; it is not sent (RFC 7692, 7.2.1)
AFTER_FINAL = frozenset({b"", END, b"\x00", b"\x00" + END})  # an empty block, or none


class Deflate:
    """What compresses and inflates; its 40 KiB are made with the first message each way."""

    __slots__ = ("_decoder", "_encoder", "_forgets", "_peer_forgets", "_peer_window", "_window")

    def __init__(self, agreed: PerMessageDeflate) -> None:
        self._window = agreed.local_max_window_bits
        self._forgets = agreed.local_no_context_takeover
        self._peer_window = agreed.remote_max_window_bits
        self._peer_forgets = agreed.remote_no_context_takeover
        self._encoder: Any = None  # the types of zlib have no public names
        self._decoder: Any = None

    def deflate(self, message: bytes) -> bytes:
        """Return the payload of a message in one frame."""
        encoder = self._encoder
        if encoder is None:
            encoder = zlib.compressobj(wbits=-self._window, memLevel=MEMORY_LEVEL)
        self._encoder = None if self._forgets else encoder
        return bytes(encoder.compress(message) + encoder.flush(zlib.Z_SYNC_FLUSH))[: -len(END)]

    def inflate(self, payload: bytes, limit: float, *, is_last: bool) -> bytes:
        """Return what a frame holds; `is_last` says that its message ends.

        More than `limit` bytes raise PayloadTooBig, what is not deflated raises ProtocolError.
        A final block ends the history: what comes next begins anew (RFC 7692, 7.2.3.4).
        """
        decoder = self._decoder
        if decoder is None:
            decoder = zlib.decompressobj(wbits=-self._peer_window)
        self._decoder = None if is_last and self._peer_forgets else decoder
        most = 0 if limit == inf else int(limit) + 1  # for zlib, 0 is no limit
        try:
            data: bytes = decoder.decompress(payload + END if is_last else payload, most)
        except zlib.error as error:
            raise ProtocolError("what came compressed cannot be inflated") from error
        if len(data) > limit:
            raise PayloadTooBig(None, int(limit))
        if decoder.eof:
            self._decoder = None
            if decoder.unused_data not in AFTER_FINAL:
                raise ProtocolError("something came behind the final block of a message")
        return data


def negotiate(request: Headers, *, compression: bool) -> tuple[str | None, Deflate | None]:
    """Return the extension field to answer, and the extension; nothing for what is malformed."""
    if not compression:
        return None, None
    try:
        offers = [
            offer
            for line in request.get_all("sec-websocket-extensions")
            for offer in parse_extension(line)
        ]
    except InvalidHeader:
        return None, None
    for name, params in offers:
        if name != NAME:
            continue
        try:
            agreed, extension = FACTORY.process_request_params(params, [])
        except NegotiationError:
            continue
        return build_extension([(NAME, agreed)]), Deflate(extension)
    return None, None
