"""A client's frames from bytes that come in any pieces, a server's to bytes (RFC 6455, 5)."""

import struct
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import PayloadTooBig, ProtocolError

from ohia.server.frames import COMPRESSED, FIN, FrameReader, render_frame

from .peer import BINARY, CLOSE, CONT, PING, PONG, TEXT, frame


def read_all(reader: FrameReader, *pieces: bytes) -> list[tuple[int, bytes]]:
    """Feed the pieces one by one; return first bytes and payloads."""
    read: list[tuple[int, bytes]] = []
    for piece in pieces:
        reader.feed(piece)
        while (payload := reader.read(inf)) is not None:
            read.append((reader.first, payload))
    return read


def plain() -> FrameReader:
    return FrameReader(can_inflate=False)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_frames_in_one_piece_are_read_whole(size: int) -> None:
    data = frame(TEXT, bytes(size)) + frame(BINARY, b"x" * size, fin=False)
    assert read_all(plain(), data) == [(FIN | TEXT, bytes(size)), (BINARY, b"x" * size)]


@pytest.mark.parametrize(
    "head",
    [
        struct.pack("!BBH", FIN | TEXT, 0x80 | 126, 125),
        struct.pack("!BBQ", FIN | TEXT, 0x80 | 127, 65535),
        struct.pack("!BBQ", FIN | TEXT, 0x80 | 127, 0),
    ],
)
def test_a_size_in_more_bytes_than_it_needs_is_refused(head: bytes) -> None:
    with pytest.raises(ProtocolError, match="as few bytes"):
        read_all(plain(), head + bytes(4))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_what_is_rendered_has_no_mask(size: int) -> None:
    head = {0: b"\x00", 1: b"\x01", 125: b"\x7d", 126: b"\x7e\x00\x7e", 65535: b"\x7e\xff\xff"}
    expected = head.get(size, b"\x7f" + struct.pack("!Q", size))
    assert render_frame(FIN | BINARY, b"x" * size) == b"\x82" + expected + b"x" * size


def test_a_frame_that_comes_in_parts_is_read_as_fragments() -> None:
    data = frame(TEXT, b"abcdefgh" * 40) + frame(PING, b"p")
    read = read_all(plain(), data[:5], data[5:11], data[11:17], data[17:])
    whole = b"abcdefgh" * 40
    assert read == [
        (TEXT, whole[:3]),
        (CONT, whole[3:9]),
        (FIN | CONT, whole[9:]),
        (FIN | PING, b"p"),
    ]


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
def test_control_frames_have_no_parts(opcode: int) -> None:
    data = frame(opcode, b"x" * 125)
    pieces = [data[at : at + 1] for at in range(len(data))]
    assert read_all(plain(), *pieces) == [(FIN | opcode, b"x" * 125)]


def test_compressed_frames_have_no_parts_and_all_say_so() -> None:
    data = frame(TEXT, b"first", fin=False, rsv=4) + frame(PING) + frame(CONT, b"last")
    data += frame(TEXT, b"other")
    pieces = [data[at : at + 1] for at in range(len(data))]
    assert read_all(FrameReader(can_inflate=True), *pieces)[:3] == [
        (COMPRESSED | TEXT, b"first"),
        (FIN | PING, b""),
        (COMPRESSED | FIN | CONT, b"last"),
    ]
    assert read_all(FrameReader(can_inflate=True), data)[3] == (FIN | TEXT, b"other")


# A frame that may be wrong in its place, but is whole.
frames = st.builds(
    frame,
    st.sampled_from([CONT, TEXT, BINARY]),
    st.binary(max_size=300),
    fin=st.booleans(),
    rsv=st.sampled_from([0, 4]),
)


@given(st.lists(st.binary(max_size=300), max_size=5), st.lists(st.integers(0, 1500)))
def test_however_it_is_cut_the_same_is_read(payloads: list[bytes], cuts: list[int]) -> None:
    data = b"".join(frame(BINARY, each) for each in payloads)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    read = read_all(plain(), *pieces)
    whole = [b""]
    for first, payload in read:
        whole[-1] += payload
        if first & FIN:
            whole.append(b"")
    assert whole == [*payloads, b""]


@given(st.binary(max_size=200) | frames, st.booleans())
def test_no_bytes_fail_in_an_unforeseen_way(data: bytes, can_inflate: bool) -> None:
    reader = FrameReader(can_inflate=can_inflate)
    reader.feed(data)
    try:
        while reader.read(100) is not None:
            pass
    except (ProtocolError, PayloadTooBig):
        return


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x81\x01", "mask"),
        (b"\x83\x80", "opcode"),
        (b"\x8b\x80", "opcode"),
        (b"\xa1\x80", "reserved bit"),
        (b"\xc1\x80", "reserved bit"),  # nothing was agreed on
        (b"\xc9\x80", "reserved bit"),
        (b"\x09\x80", "no fragments"),
        (b"\x89\xfe", "125 bytes"),
    ],
)
def test_what_is_no_frame_is_told_by_its_first_two_bytes(data: bytes, reason: str) -> None:
    reader = plain()
    reader.feed(data)
    with pytest.raises(ProtocolError, match=reason):
        reader.read(inf)


@pytest.mark.parametrize("size", [11, 200, 70_000])
def test_a_large_frame_is_refused_by_its_head(size: int) -> None:
    data = frame(BINARY, bytes(size))
    reader = plain()
    reader.feed(data[: len(data) - size])
    with pytest.raises(PayloadTooBig, match=f"{size} bytes exceeds limit of 10"):
        reader.read(10)


def test_no_room_is_needed_by_what_is_empty_or_control() -> None:
    reader = plain()
    reader.feed(frame(TEXT) + frame(PING, b"x" * 125))
    assert [reader.read(0), reader.read(0)] == [b"", b"x" * 125]


def test_what_is_compressed_may_be_a_little_larger_than_what_it_holds() -> None:
    reader = FrameReader(can_inflate=True)
    reader.feed(frame(BINARY, bytes(1100), rsv=4) + frame(BINARY, bytes(2000), rsv=4))
    assert reader.read(1000) == bytes(1100)
    with pytest.raises(PayloadTooBig):
        reader.read(1000)


def test_a_part_of_a_head_holds_nothing_else_in_memory() -> None:
    reader = plain()
    assert len(read_all(reader, frame(BINARY, bytes(100_000)) + b"\x82")) == 1
    assert reader._data == b"\x82"


def test_what_is_cleared_is_forgotten() -> None:
    reader = FrameReader(can_inflate=True)
    read_all(reader, frame(TEXT, b"abc", fin=False, rsv=4) + frame(CONT, bytes(50))[:20])
    reader.clear()
    assert read_all(reader, frame(CONT, b"x")) == [(FIN | CONT, b"x")]
