"""permessage-deflate: what is agreed on, and what a socket keeps of it (RFC 7692, 7)."""

import zlib
from math import inf

import pytest
from websockets.exceptions import ProtocolError

from ohia.http.headers import Headers
from ohia.server.deflate import Deflate, negotiate

TEXT = b"the quick brown fox; " * 20


def agree(offer: str) -> Deflate:
    _, deflate = negotiate(Headers({"Sec-WebSocket-Extensions": offer}), compression=True)
    assert deflate is not None
    return deflate


@pytest.mark.parametrize(
    "offer",
    [
        "",
        "x-webkit-deflate-frame",
        "permessage-deflate; unknown",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; =",
        "permessage-deflate, ;",
    ],
)
def test_what_cannot_be_agreed_on_is_left_out(offer: str) -> None:
    headers = Headers({"Sec-WebSocket-Extensions": offer})
    assert negotiate(headers, compression=True) == (None, None)


def test_nothing_is_agreed_on_unasked() -> None:
    assert negotiate(Headers(), compression=True) == (None, None)
    headers = Headers({"Sec-WebSocket-Extensions": "permessage-deflate"})
    assert negotiate(headers, compression=False) == (None, None)


def test_the_first_offer_that_works_is_taken() -> None:
    offer = "other, permessage-deflate; unknown, permessage-deflate; client_max_window_bits"
    line, _ = negotiate(Headers({"Sec-WebSocket-Extensions": offer}), compression=True)
    expected = "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"
    assert line == expected


def test_a_message_may_refer_to_the_one_before() -> None:
    deflate = agree("permessage-deflate; client_max_window_bits")
    inflater = zlib.decompressobj(wbits=-12)
    first, second = deflate.deflate(TEXT), deflate.deflate(TEXT)
    assert len(second) < len(first) / 2
    assert inflater.decompress(first + b"\x00\x00\xff\xff") == TEXT
    assert inflater.decompress(second + b"\x00\x00\xff\xff") == TEXT
    assert [deflate.inflate(each, inf, is_last=True) for each in (first, second)] == [TEXT, TEXT]


def test_without_context_takeover_nothing_is_kept() -> None:
    deflate = agree("permessage-deflate; server_no_context_takeover; client_no_context_takeover")
    first, second = deflate.deflate(TEXT), deflate.deflate(TEXT)
    assert first == second
    begun = deflate.inflate(first[:5], inf, is_last=False)
    assert begun + deflate.inflate(first[5:], inf, is_last=True) == TEXT
    assert deflate.inflate(second, inf, is_last=True) == TEXT
    assert (deflate._encoder, deflate._decoder) == (None, None)


def test_a_socket_that_says_nothing_needs_no_zlib() -> None:
    deflate = agree("permessage-deflate")
    assert (deflate._encoder, deflate._decoder) == (None, None)


def final(text: bytes) -> bytes:
    """Return a message whose only block is final, as RFC 7692, 7.2.3.4, has it."""
    encoder = zlib.compressobj(wbits=-12)
    return encoder.compress(text) + encoder.flush() + b"\x00"


@pytest.mark.parametrize("size", [5, 200])
def test_messages_behind_a_final_block_arrive(size: int) -> None:
    deflate = agree("permessage-deflate; client_max_window_bits")
    text = TEXT[:size]
    assert [deflate.inflate(final(text), inf, is_last=True) for _ in range(3)] == [text] * 3
    assert deflate.inflate(agree("permessage-deflate").deflate(TEXT), inf, is_last=True) == TEXT


def test_a_final_block_may_end_before_its_message_does() -> None:
    deflate = agree("permessage-deflate; client_max_window_bits")
    message = final(TEXT)
    assert deflate.inflate(message[:-1], inf, is_last=False) == TEXT
    assert deflate.inflate(b"\x00", inf, is_last=True) == b""


def test_what_hides_behind_a_final_block_is_refused_not_kept() -> None:
    deflate = agree("permessage-deflate; client_max_window_bits")
    with pytest.raises(ProtocolError):
        deflate.inflate(final(TEXT) + b"x" * 1000, inf, is_last=True)
