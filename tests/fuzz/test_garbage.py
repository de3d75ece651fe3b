"""Whatever comes: nothing raises out of a connection, and every connection has an end.

`converse` asserts both, for itself and for the loop: no callback failed, no task is left.
"""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from ohia.errors import HTTPError, WebSocketClosed
from ohia.exchange import Exchange, SocketOptions
from ohia.http.headers import Headers
from ohia.server.head import HeadReader
from ohia.server.limits import Limits
from ohia.upgrade import check_handshake

from .requests import HANDSHAKE, damaged, parts, requests, values
from .wire import Answer, Seen, converse, echo, fuzzed, in_leaps, patient, pieces_of, sent

pytestmark = patient

garbage = st.one_of(
    damaged(),
    st.binary(max_size=200),
    st.lists(parts | st.binary(max_size=8), max_size=20).map(b"".join),
    st.binary(max_size=60).map(lambda each: HANDSHAKE + b"\r\n" + each),
)
cuts = st.lists(st.integers(0, 5000), max_size=6)
goings = st.sampled_from(["ends", "is silent", "is cut"])


async def echo_on_any(exchange: Exchange, seen: Seen) -> None:
    """Echo, as a WebSocket where that was asked for."""
    try:
        check_handshake(exchange)
    except HTTPError:
        await echo(exchange, seen)
        return
    socket = await exchange.upgrade(Headers(), None, SocketOptions())
    with suppress(WebSocketClosed):
        while True:
            await sent(socket.send(await socket.receive()))
    await socket.wait_closed()


async def stream_slowly(exchange: Exchange, seen: Seen) -> None:
    """Answer in pieces, more than a transport takes at once."""
    await sent(exchange.send_head(200, "OK", Headers()))
    await sent(exchange.send_piece(bytes(50_000)))
    await sent(exchange.send_piece(bytes(50_000)))
    await sent(exchange.end())


async def forget(exchange: Exchange, seen: Seen) -> None:
    """Answer nothing, or not to the end."""
    if seen.body:
        exchange.send_head(200, "OK", Headers())


@fuzzed(400)
@given(garbage, cuts, goings, st.sampled_from([echo_on_any, stream_slowly, forget]), st.booleans())
def test_nothing_raises_and_everything_ends(
    data: bytes, cuts: list[int], going: str, answer: Answer, slow: bool
) -> None:
    pieces = pieces_of(data, cuts)
    in_leaps(
        converse(
            pieces,
            answer,
            ends=going == "ends",
            goes=going == "is cut",
            pace=3000 if slow else None,
        )
    )


connections = st.lists(
    st.sampled_from(
        [b"close", b"keep-alive", b"upgrade", b"x", b",", b" ", b"\t", b";", b'"', b"="]
    ),
    max_size=5,
).map(b"".join)
steering = st.tuples(
    st.sampled_from([b"Connection", b"Proxy-Connection", b"Keep-Alive", b"Upgrade", b"X"]),
    connections | values.map(lambda each: each.encode("latin-1")),
)
heads = st.builds(
    lambda minor, fields: (
        b"GET / HTTP/1.%d\r\nHost: a\r\n" % minor
        + b"".join(name + b":" + value + b"\r\n" for name, value in fields)
        + b"\r\n"
    ),
    st.integers(0, 1),
    st.lists(steering, max_size=3),
) | requests().map(lambda each: each.data.lstrip(b"\r\n"))


@fuzzed(150)
@given(st.lists(heads | damaged(), min_size=2, max_size=5))
def test_what_was_read_before_changes_no_head(inputs: list[bytes]) -> None:
    """One reader serves all connections, so nothing of one may reach another."""
    shared = HeadReader(Limits())
    for data in inputs:
        assert _read(shared, data) == _read(HeadReader(Limits()), data)


def _read(reader: HeadReader, data: bytes) -> object:
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    try:
        head = reader.read(data, 0, end)
    except HTTPError as error:
        return error.status
    fields = head.fields
    facts = (fields.length, fields.keep_alive, fields.expects, fields.is_handshake)
    return (head.method, head.target, fields.http_version, fields.lines, facts)
