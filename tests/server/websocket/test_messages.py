"""Messages from data frames: order, sizes, UTF-8 (RFC 6455, 5.4, 8.1)."""

import zlib
from math import inf

import pytest
from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.extensions.permessage_deflate import PerMessageDeflate

from ohia.exchange import SocketOptions
from ohia.server.deflate import Deflate
from ohia.server.frames import COMPRESSED, FIN
from ohia.server.messages import Messages

from .peer import BINARY, CONT, TEXT

NOISE = bytes(range(256)) * 3


def make(message: int | None = 10, fragment: int | None = None) -> Messages:
    options = SocketOptions(max_message_size=message, max_fragment_size=fragment)
    deflate = Deflate(PerMessageDeflate(False, False, 12, 12))  # noqa: FBT003 - websockets' order
    return Messages(options, deflate)


def deflated(data: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-12)
    return (deflate.compress(data) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([(FIN | TEXT, b"\xc3\xa4")], "ä"),
        ([(FIN | BINARY, b"\xc3\xa4")], b"\xc3\xa4"),
        ([(TEXT, b"\xc3"), (CONT, b""), (FIN | CONT, b"\xa4")], "ä"),
        ([(BINARY, b"a"), (CONT, b"b"), (FIN | CONT, b"")], b"ab"),
        ([(FIN | COMPRESSED | TEXT, deflated(b"abc"))], "abc"),
        ([(FIN | COMPRESSED | BINARY, deflated(b"abc"))], b"abc"),
        (
            [
                (COMPRESSED | TEXT, deflated("ä".encode())[:2]),
                (FIN | COMPRESSED | CONT, deflated("ä".encode())[2:]),
            ],
            "ä",
        ),
    ],
)
def test_a_message_is_made_of_its_frames(
    frames: list[tuple[int, bytes]], message: str | bytes
) -> None:
    messages = make()
    for _ in range(2):
        *before, last = [messages.take(*each) for each in frames]
        assert before == [None] * (len(frames) - 1)
        assert last == message
        assert messages.room == 10


@pytest.mark.parametrize("first", [CONT, FIN | CONT, FIN | COMPRESSED | CONT])
def test_a_message_does_not_begin_with_a_continuation(first: int) -> None:
    with pytest.raises(ProtocolError, match="nothing to continue"):
        make().take(first, b"")


@pytest.mark.parametrize("first", [TEXT, FIN | TEXT, FIN | BINARY, FIN | COMPRESSED | TEXT])
def test_a_message_has_no_other_within(first: int) -> None:
    messages = make()
    messages.take(TEXT, b"a")
    with pytest.raises(ProtocolError, match="within another"):
        messages.take(first, b"b")


def test_room_shrinks_with_each_fragment() -> None:
    messages = make(message=10, fragment=6)
    rooms = [messages.room]
    for first in (BINARY, CONT, CONT):
        messages.take(first, b"abc")
        rooms.append(messages.room)
    assert rooms == [6, 6, 4, 1]
    messages.drop()
    assert messages.room == 6


def test_without_limits_there_is_always_room() -> None:
    messages = make(message=None)
    messages.take(COMPRESSED | BINARY, deflated(bytes(5_000_000)))
    assert messages.room == inf


@pytest.mark.parametrize(("size", "is_fine"), [(10, True), (11, False), (10_000_000, False)])
def test_what_is_inflated_has_its_greatest_size(size: int, is_fine: bool) -> None:
    payload = deflated(bytes(size))
    if is_fine:
        assert make().take(FIN | COMPRESSED | BINARY, payload) == bytes(size)
    else:
        with pytest.raises(PayloadTooBig, match="10 bytes"):
            make().take(FIN | COMPRESSED | BINARY, payload)


def test_with_no_room_left_a_fragment_may_inflate_to_nothing() -> None:
    messages = make()
    payload = deflated(bytes(10))
    messages.take(COMPRESSED | BINARY, payload)
    assert messages.room == 0
    assert messages.take(FIN | COMPRESSED | CONT, b"") == bytes(10)


def test_noise_of_the_greatest_size_comes_through() -> None:
    messages = make(message=len(NOISE))
    assert messages.take(FIN | COMPRESSED | BINARY, deflated(NOISE)) == NOISE


@pytest.mark.parametrize("payload", [b"\xff\xff", b"\x07"])
def test_what_cannot_be_inflated_breaks_the_protocol(payload: bytes) -> None:
    with pytest.raises(ProtocolError, match="inflated"):
        make().take(FIN | COMPRESSED | TEXT, payload)


@pytest.mark.parametrize(
    ("begun", "wrong"),
    [
        (b"", b"\xff"),
        (b"\xce", b"x"),
        (b"a\xed\xa0", b"\x80"),
        (b"\xf4", b"\x90"),
        (b"ok", b"\xc0"),
    ],
)
def test_what_can_be_no_text_is_told_at_once(begun: bytes, wrong: bytes) -> None:
    messages = make()
    messages.take(TEXT, begun)
    with pytest.raises(UnicodeDecodeError):
        messages.take(CONT, wrong)


def test_text_does_not_end_within_a_character() -> None:
    messages = make()
    messages.take(TEXT, b"a")
    with pytest.raises(UnicodeDecodeError):
        messages.take(FIN | CONT, b"\xc3")
