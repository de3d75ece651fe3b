"""The essential cases of every group of the Autobahn|Testsuite (RFC 6455, RFC 7692)."""

import asyncio
import struct
import zlib

import pytest

from ohia.exchange import SocketOptions

from .peer import (
    BINARY,
    CLOSE,
    CONT,
    NORMAL,
    PING,
    PONG,
    TEXT,
    Serve,
    close_frame,
    dial,
    echo,
    frame,
    handshake,
    upgrading,
)

END = close_frame(1000)
BYE = (CLOSE, NORMAL)
FAIR = "κόσμε"  # of the suite's group 6.2
BAD = FAIR.encode() + b"\xed\xa0\x80edited"  # a surrogate, group 6.3


def failed(code: int) -> tuple[int, bytes]:
    return (CLOSE, struct.pack("!H", code))


ECHOES = [
    # 1: framing
    *(pytest.param(frame(TEXT, b"*" * n), [(TEXT, b"*" * n)], id=f"1.1 text of {n}")
      for n in (0, 125, 126, 127, 128, 65535, 65536)),
    *(pytest.param(frame(BINARY, b"\xfe" * n), [(BINARY, b"\xfe" * n)], id=f"1.2 binary of {n}")
      for n in (0, 125, 126, 127, 128, 65535, 65536)),
    # 2: pings and pongs
    pytest.param(frame(PING), [(PONG, b"")], id="2.1"),
    pytest.param(frame(PING, b"Hello"), [(PONG, b"Hello")], id="2.2"),
    pytest.param(frame(PING, bytes(range(200, 206))), [(PONG, bytes(range(200, 206)))], id="2.3"),
    pytest.param(frame(PING, b"\xfe" * 125), [(PONG, b"\xfe" * 125)], id="2.4"),
    pytest.param(frame(PONG), [], id="2.7 unasked pong"),
    pytest.param(frame(PONG, b"unasked"), [], id="2.8"),
    pytest.param(frame(PONG, b"x") + frame(PING, b"y"), [(PONG, b"y")], id="2.9"),
    pytest.param(
        b"".join(frame(PING, b"%d" % n) for n in range(10)),
        [(PONG, b"%d" % n) for n in range(10)],
        id="2.10",
    ),
    # 5: fragments
    pytest.param(
        frame(TEXT, b"a", fin=False) + frame(CONT, b"b"), [(TEXT, b"ab")], id="5.3"
    ),
    pytest.param(
        frame(TEXT, b"a", fin=False) + frame(PING, b"p") + frame(CONT, b"b"),
        [(PONG, b"p"), (TEXT, b"ab")],
        id="5.6",
    ),
    pytest.param(
        b"".join(
            [
                frame(TEXT, b"1", fin=False),
                frame(CONT, b"2", fin=False),
                frame(PING, b"p"),
                frame(CONT, b"3", fin=False),
                frame(CONT, b"4", fin=False),
                frame(PING, b"q"),
                frame(CONT, b"5"),
            ]
        ),
        [(PONG, b"p"), (PONG, b"q"), (TEXT, b"12345")],
        id="5.19",
    ),
    # 6: UTF-8
    pytest.param(frame(TEXT, fin=False) + frame(CONT, fin=False) + frame(CONT), [(TEXT, b"")],
                 id="6.1.2"),
    pytest.param(
        frame(TEXT, fin=False) + frame(CONT, b"middle", fin=False) + frame(CONT),
        [(TEXT, b"middle")],
        id="6.1.3",
    ),
    pytest.param(frame(TEXT, FAIR.encode()), [(TEXT, FAIR.encode())], id="6.2.1"),
    pytest.param(
        frame(TEXT, fin=False)
        + b"".join(frame(CONT, bytes([byte]), fin=False) for byte in FAIR.encode())
        + frame(CONT),
        [(TEXT, FAIR.encode())],
        id="6.2.3 a byte a fragment",
    ),
    *(
        pytest.param(frame(TEXT, text.encode()), [(TEXT, text.encode())], id=f"6 {ord(text):x}")
        for text in "\0\x7f\x80\u07ff\u0800\ud7ff\ue000\ufffd\uffff\U00010000\U0010ffff"
    ),
]  # fmt: skip


SHORT = [case for case in ECHOES if len(repr(case.values[0])) < 1000]


@pytest.mark.parametrize(("data", "answers"), ECHOES)
async def test_what_is_right_is_answered(
    serve: Serve, data: bytes, answers: list[tuple[int, bytes]]
) -> None:
    async with serve(upgrading(echo)) as server, dial(server, data, END) as peer:
        assert await peer.rest() == [*answers, BYE]


@pytest.mark.parametrize(("data", "answers"), SHORT)
async def test_bytes_that_come_one_by_one_are_answered_alike(
    serve: Serve, data: bytes, answers: list[tuple[int, bytes]]
) -> None:
    async with serve(upgrading(echo)) as server, dial(server) as peer:
        await chop(peer.writer, data + END)
        assert await peer.rest() == [*answers, BYE]


async def chop(writer: asyncio.StreamWriter, data: bytes) -> None:
    for at in range(len(data)):
        writer.write(data[at : at + 1])
        await asyncio.sleep(0)


FAILURES = [
    # 3: reserved bits, without an extension that means them
    *(pytest.param(frame(TEXT, b"x", rsv=rsv), 1002, id=f"3 rsv {rsv}") for rsv in range(1, 8)),
    pytest.param(frame(PING, b"x", rsv=4), 1002, id="3.5"),
    # 4: reserved opcodes
    *(pytest.param(frame(opcode, b"x"), 1002, id=f"4 opcode {opcode}")
      for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
    # 2 and 5: control frames are short and whole
    pytest.param(frame(PING, bytes(126)), 1002, id="2.5"),
    pytest.param(frame(PING, b"x", fin=False) + frame(CONT), 1002, id="5.1"),
    pytest.param(frame(PONG, b"x", fin=False) + frame(CONT), 1002, id="5.2"),
    pytest.param(frame(CONT, b"x", fin=False), 1002, id="5.9"),
    pytest.param(frame(CONT, b"x"), 1002, id="5.10"),
    pytest.param(frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002, id="5.18"),
    # unmasked, RFC 6455, 5.1
    pytest.param(b"\x81\x01x", 1002, id="unmasked"),
    # 6: UTF-8
    pytest.param(frame(TEXT, BAD), 1007, id="6.3.1"),
    pytest.param(frame(TEXT, b"\xce", fin=False) + frame(CONT, b"x", fin=False), 1007, id="6.4.1"),
    *(
        pytest.param(frame(TEXT, text), 1007, id=f"6 {text.hex()}")
        for text in (
            *(b"\x80", b"\xbf", b"\xc0\xaf", b"\xc1\xbf", b"\xe0\x80\xaf", b"\xe0\x9f\xbf"),
            *(b"\xf0\x80\x80\xaf", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff"),
            *(b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xce", b"\xce\xba\xe1\xbd", b"\xf0\x9f\x98"),
        )
    ),
    # 7: the Close frame
    pytest.param(frame(CLOSE, b"x"), 1002, id="7.3.2"),
    pytest.param(frame(CLOSE, bytes(126)), 1002, id="7.3.6"),
    pytest.param(close_frame(1000, b"\xed\xa0\x80"), 1007, id="7.5.1"),
    *(
        pytest.param(close_frame(code), 1002, id=f"7.9 {code}")
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    ),
]  # fmt: skip


@pytest.mark.parametrize(("data", "code"), FAILURES)
async def test_what_is_wrong_fails_the_connection_after_what_came_before(
    serve: Serve, data: bytes, code: int
) -> None:
    """As 3.2 to 4.2.5 ask: the message is answered, what comes after the failure is not."""
    before, after = frame(TEXT, b"before"), frame(TEXT, b"after")
    async with serve(upgrading(echo)) as server, dial(server, before, data, after) as peer:
        frames = await peer.rest()
    assert frames[0] == (TEXT, b"before")
    assert [(opcode, payload[:2]) for opcode, payload in frames[1:]] == [failed(code)]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(FAIR.encode() + b"\xf4\x90", 1007, id="6.4.3"),
        pytest.param(FAIR.encode() + b"\xed\xa0\x80", 1007, id="6.4.4"),
    ],
)
@pytest.mark.parametrize("begun", [b"", frame(TEXT, b"\xce", fin=False), frame(TEXT, fin=False)])
async def test_bad_text_is_told_before_its_frame_is_whole(
    serve: Serve, data: bytes, code: int, begun: bytes
) -> None:
    if begun.endswith(b"\xf9"):
        data = data[1:]
    opcode = CONT if begun else TEXT
    whole = frame(opcode, data + bytes(500))
    for cut in range(len(whole) - 500 - len(data), len(whole) - 500):
        async with serve(upgrading(echo)) as server, dial(server, begun) as peer:
            peer.send(whole[:cut])
            peer.send(whole[cut : len(whole) - 500])
            [(opcode, payload)] = await peer.rest()
        assert (opcode, payload[:2]) == failed(code)


async def test_text_that_comes_slowly_is_whole(serve: Serve) -> None:
    text = ("aä€😀" * 200).encode()
    data = frame(TEXT, text[:401], fin=False) + frame(PING, b"\xff") + frame(CONT, text[401:])
    async with serve(upgrading(echo)) as server, dial(server) as peer:
        await chop(peer.writer, data + frame(BINARY, b"\xff" * 300))
        assert await peer.read() == (PONG, b"\xff")
        assert await peer.read() == (TEXT, text)
        assert await peer.read() == (BINARY, b"\xff" * 300)


@pytest.mark.parametrize(
    ("payload", "answered"),
    [
        pytest.param(b"", b"", id="7.3.1"),
        pytest.param(NORMAL, NORMAL, id="7.3.3"),
        pytest.param(NORMAL + b"Hello", NORMAL + b"Hello", id="7.3.4"),
        pytest.param(NORMAL + b"*" * 123, NORMAL + b"*" * 123, id="7.3.5"),
        *(
            pytest.param(struct.pack("!H", code), struct.pack("!H", code), id=f"7.7 {code}")
            for code in (*range(1000, 1004), *range(1007, 1012), 3000, 3999, 4000, 4999)
        ),
    ],
)
async def test_a_close_comes_back_as_it_was(serve: Serve, payload: bytes, answered: bytes) -> None:
    async with serve(upgrading(echo)) as server, dial(server, frame(CLOSE, payload)) as peer:
        assert await peer.rest() == [(CLOSE, answered)]


@pytest.mark.parametrize(
    ("data", "answers"),
    [
        pytest.param(frame(TEXT, b"m") + END, [(TEXT, b"m"), BYE], id="7.1.1"),
        pytest.param(END + END, [BYE], id="7.1.2"),
        pytest.param(END + frame(PING), [BYE], id="7.1.3"),
        pytest.param(END + frame(TEXT, b"late"), [BYE], id="7.1.4"),
        pytest.param(frame(TEXT, b"1", fin=False) + END + frame(CONT, b"2"), [BYE], id="7.1.5"),
        pytest.param(
            frame(TEXT, b"x" * 262_144) + frame(TEXT, b"m") + END + frame(PING),
            [(TEXT, b"x" * 262_144), (TEXT, b"m"), BYE],
            id="7.1.6",
        ),
    ],
)
async def test_what_came_before_a_close_is_answered_before_it(
    serve: Serve, data: bytes, answers: list[tuple[int, bytes]]
) -> None:
    async with serve(upgrading(echo)) as server, dial(server, data) as peer:
        assert await peer.rest() == answers


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", [None, 64, 4096], ids=["9.1 whole", "9.3 by 64", "9.4 by 4096"])
async def test_large_messages_are_whole(serve: Serve, opcode: int, size: int | None) -> None:
    payload = b"*" * 1_048_576
    step = size or len(payload)
    parts = [payload[at : at + step] for at in range(0, len(payload), step)]
    frames = [
        frame(opcode if at == 0 else CONT, part, fin=at == len(parts) - 1)
        for at, part in enumerate(parts)
    ]
    async with serve(upgrading(echo)) as server, dial(server, *frames) as peer:
        assert await peer.read() == (opcode, payload)


@pytest.mark.parametrize(
    ("offer", "agreed"),
    [
        ("permessage-deflate", "server_max_window_bits=12"),  # 12.1, 13.1
        ("permessage-deflate; server_no_context_takeover",  # 13.2
         "server_no_context_takeover; server_max_window_bits=12"),
        ("permessage-deflate; server_max_window_bits=9", "server_max_window_bits=9"),  # 13.3
        ("permessage-deflate; server_max_window_bits=15", "server_max_window_bits=12"),  # 13.4
        ("permessage-deflate; server_no_context_takeover; server_max_window_bits=9",  # 13.5
         "server_no_context_takeover; server_max_window_bits=9"),
        ("permessage-deflate; server_no_context_takeover; server_max_window_bits=15",  # 13.6
         "server_no_context_takeover; server_max_window_bits=12"),
        ("permessage-deflate; client_no_context_takeover; client_max_window_bits=10",
         "client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=10"),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate",
         "server_max_window_bits=12"),
    ],
)  # fmt: skip
async def test_compressed_messages_keep_to_what_was_agreed(
    serve: Serve, offer: str, agreed: str
) -> None:
    request = handshake(f"Sec-WebSocket-Extensions: {offer}")
    options = SocketOptions(ping_interval=None)
    async with serve(upgrading(echo, options)) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        assert f"Sec-WebSocket-Extensions: permessage-deflate; {agreed}\r\n".encode() in head
        text = b"The quick brown fox; " * 500
        async with dial(server, request=request) as peer:
            ours = Deflate(agreed)
            for _ in range(3):
                peer.send(*ours.frames(text, 1000))
                opcode, payload = await peer.read()
                assert opcode == TEXT | 0x40
                assert ours.inflate(payload) == text
            peer.send(END)
            assert await peer.rest() == [BYE]


class Deflate:
    """The client's half of permessage-deflate (RFC 7692, 7), as agreed."""

    def __init__(self, agreed: str) -> None:
        params = dict(each.partition("=")[::2] for each in agreed.split("; "))
        self.window = int(params.get("client_max_window_bits") or 15)
        self.forgets = "client_no_context_takeover" in params
        self.server_forgets = "server_no_context_takeover" in params
        self.server_window = int(params["server_max_window_bits"])
        self.deflate = zlib.compressobj(wbits=-self.window)
        self.inflater = zlib.decompressobj(wbits=-self.server_window)

    def frames(self, text: bytes, size: int) -> list[bytes]:
        """Return a message in fragments of `size`; the first alone has RSV1."""
        if self.forgets:
            self.deflate = zlib.compressobj(wbits=-self.window)
        data = (self.deflate.compress(text) + self.deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
        parts = [data[at : at + size] for at in range(0, len(data), size)]
        return [
            frame(TEXT if n == 0 else CONT, part, fin=n == len(parts) - 1, rsv=4 * (n == 0))
            for n, part in enumerate(parts)
        ]

    def inflate(self, payload: bytes) -> bytes:
        if self.server_forgets:
            self.inflater = zlib.decompressobj(wbits=-self.server_window)
        return self.inflater.decompress(payload + b"\x00\x00\xff\xff")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(frame(TEXT, b"\xff\xff\xff", rsv=4), id="no deflate"),
        pytest.param(frame(TEXT, b"x", rsv=2), id="another bit"),
        pytest.param(frame(PING, b"x", rsv=4), id="compressed ping"),  # RFC 7692, 6.1
        pytest.param(
            frame(TEXT, b"\x02", fin=False, rsv=4) + frame(CONT, b"\x00", rsv=4), id="bit again"
        ),
    ],
)
async def test_broken_compression_fails_the_connection(serve: Serve, data: bytes) -> None:
    request = handshake("Sec-WebSocket-Extensions: permessage-deflate")
    options = SocketOptions(ping_interval=None)
    async with (
        serve(upgrading(echo, options)) as server,
        dial(server, data, request=request) as peer,
    ):
        [(opcode, payload)] = await peer.rest()
    assert (opcode, payload[:2]) == failed(1002)
