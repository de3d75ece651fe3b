"""WebSockets, the same over every server: refused, accepted, closed."""

import pytest

from ohia import WebSocketClosed

from .clients import NetworkPeer, Peer, PeerSocket, Raw, Refused, closing, noted, request, stalled
from .conftest import Differing, SkipOn

# What servers answer by themselves to a handshake that is none.
REFUSALS = {400, 405, 426}


def handshake(target: str) -> bytes:
    """Return a handshake as it goes over the wire (RFC 6455, 1.2)."""
    return (
        f"GET {target} HTTP/1.1\r\nHost: example.org\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def frame(text: bytes) -> bytes:
    """Return a short text frame, masked with zeros (RFC 6455, 5.2)."""
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text


async def ending(socket: PeerSocket) -> tuple[object, int]:
    """Return the last message and the code of the close."""
    last = None
    try:
        while True:
            last = await socket.receive()
    except WebSocketClosed as closed:
        return last, closed.code


async def refusal(peer: Peer, target: str) -> Refused:
    with pytest.raises(Refused) as caught:
        async with peer.connect(target):
            pass
    return caught.value


async def test_a_refusal_is_a_whole_response(peer: Peer) -> None:
    answer = (await refusal(peer, "/ws/refused")).answer
    assert answer.status == 401
    assert answer.json() == {"error": "who are you?"}
    assert answer.get("content-type") == "application/json; charset=utf-8"
    assert answer.get("www-authenticate") == "Bearer"


async def test_a_refusal_sets_cookies(peer: Peer, differing: Differing) -> None:
    answer = (await refusal(peer, "/ws/refused")).answer
    cookies = [each.split(";")[0] for each in answer.get_all("set-cookie")]
    assert cookies == differing("one-cookie", ["a=1", "b=2"], instead=["a=1"])


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/ws/nowhere", 404, b"Not Found"),
        ("/ws/throws", 403, b"not you"),
        ("/ws/fails", 500, b"Internal Server Error"),
        ("/ws/refused-in-pieces", 200, b"one two three"),
        ("/ws/empty", 204, b""),
        ("/cookies", 200, b"set"),
    ],
)
async def test_what_is_not_upgraded_is_answered_like_any_request(
    peer: Peer, path: str, status: int, body: bytes
) -> None:
    answer = (await refusal(peer, path)).answer
    assert (answer.status, answer.body) == (status, body)


async def test_the_server_lives_on_after_refusals(peer: Peer) -> None:
    await refusal(peer, "/ws/refused")
    assert (await request(peer, "/teapot")).status == 418


@pytest.mark.parametrize("path", ["/ws/echo", "/ws/generator"])
async def test_messages_are_echoed(peer: Peer, path: str) -> None:
    async with peer.connect(path) as socket:
        for message in ("text é", b"bytes", "", b"", "x" * 100_000):
            await socket.send(message)
            assert await socket.receive() == message


async def test_the_handshake_reads_as_a_request(peer: Peer) -> None:
    async with peer.connect("/ws/request?q=%20") as socket:
        seen = await socket.receive()
    assert isinstance(seen, str)
    for part in ('"method":"GET"', '"url":"/ws/request?q=%20"', '"connection":true'):
        assert part in seen
    for part in ('"upgrade":"websocket"', '"body":""'):
        assert part in seen


async def test_headers_and_cookies_go_with_the_upgrade(peer: Peer, differing: Differing) -> None:
    async with peer.connect("/ws/cookies", subprotocols=["a", "b"]) as socket:
        cookies = [each.split(";")[0] for each in socket.answer.get_all("set-cookie")]
        assert (cookies, socket.answer.get("x-header")) == differing(
            "accept-headers", (["a=1", "b=2"], "yes"), instead=([], None)
        )


async def test_the_first_subprotocol_of_ours_is_chosen(peer: Peer) -> None:
    async with peer.connect("/ws/cookies", subprotocols=["a", "b"]) as socket:
        assert socket.subprotocol == "b"
        assert await socket.receive() == "b 101 True False"


async def test_without_a_common_subprotocol_there_is_none(peer: Peer) -> None:
    async with peer.connect("/ws/cookies", subprotocols=["c"]) as socket:
        assert socket.subprotocol is None


async def test_a_second_upgrade_gives_the_same_socket(peer: Peer) -> None:
    async with peer.connect("/ws/twice") as socket:
        assert await socket.receive() == "True"


async def test_writes_after_the_upgrade_are_ignored(peer: Peer) -> None:
    async with peer.connect("/ws/writes-after") as socket:
        assert await socket.receive() == "101 None"


async def test_another_origin_is_refused(peer: Peer) -> None:
    with pytest.raises(Refused) as caught:
        async with peer.connect("/ws/echo", fields=[("Origin", "https://evil.example")]):
            pass
    assert caught.value.answer.status == 403


@pytest.mark.parametrize(
    ("path", "code", "reason"),
    [
        ("/ws/ends", 1000, ""),
        ("/ws/closes?key=unread", 4001, "bye"),
        ("/ws/fails-after", 1011, ""),
        ("/ws/throws-after", 1008, "not any more"),
    ],
)
async def test_the_client_sees_how_it_ended(peer: Peer, path: str, code: int, reason: str) -> None:
    async with peer.connect(path) as socket:
        assert await closing(socket) == (code, reason)


async def test_our_close_is_known_to_us(peer: Peer, key: str) -> None:
    async with peer.connect(f"/ws/closes?key={key}") as socket:
        await closing(socket)
    assert await noted(peer, key) == [4001, "bye"]


async def test_the_clients_code_arrives(peer: Peer, key: str, differing: Differing) -> None:
    async with peer.connect(f"/ws/code?key={key}") as socket:
        await socket.close(4005, "reas")
    code, _ = await noted(peer, key)
    assert code == differing("close-code", 4005, instead=1006)


async def test_the_clients_reason_arrives(peer: Peer, key: str, differing: Differing) -> None:
    async with peer.connect(f"/ws/code?key={key}") as socket:
        await socket.close(4005, "reas")
    _, reason = await noted(peer, key)
    assert reason == differing("close-reason", "reas", instead="")


async def test_a_lost_connection_is_1006(peer: Peer, key: str, differing: Differing) -> None:
    async with peer.connect(f"/ws/code?key={key}") as socket:
        socket.hang_up()
        code, _ = await noted(peer, key)
    assert code == differing("lost-connection", 1006, instead=1005)


async def test_an_error_after_the_upgrade_is_reported_once(peer: Peer, key: str) -> None:
    async with peer.connect(f"/ws/fails-after?{key}") as socket:
        await closing(socket)
    answer = await request(peer, "/errors?of=/ws/fails-after")
    assert answer.json().count("/ws/fails-after after the upgrade") >= 1


async def test_what_nobody_awaited_arrives_in_order_before_the_close(peer: Peer) -> None:
    async with peer.connect("/ws/burst") as socket:
        assert [await socket.receive() for _ in range(200)] == [str(each) for each in range(200)]
        assert await closing(socket) == (1000, "")


@pytest.mark.parametrize("count", [3, 100])
async def test_early_messages_wait(peer: Peer, key: str, count: int) -> None:
    async with peer.connect(f"/ws/early?key={key}&count={count}") as socket:
        if count <= 16:
            for number in range(count):
                await socket.send(str(number))
            await request(peer, f"/note?key={key}")
        else:
            await request(peer, f"/note?key={key}")
            for number in range(count):
                await socket.send(str(number))
        assert [await socket.receive() for _ in range(count)] == [
            str(number) for number in range(count)
        ]


@pytest.mark.parametrize("politely", [True, False])
async def test_a_socket_that_only_sends_hears_of_the_peers_going(
    peer: Peer, key: str, *, politely: bool
) -> None:
    async with peer.connect(f"/ws/sends-on?key={key}") as socket:
        assert await socket.receive() == "still here?"
        if politely:
            await socket.close()
        else:
            socket.hang_up()
        assert await noted(peer, key) == "closed"


async def test_a_message_above_the_limit_closes_1009(peer: Peer) -> None:
    async with peer.connect("/ws/small") as socket:
        await socket.send("a" * 1000)
        assert await socket.receive() == "1000"
        await socket.send("a" * 1001)
        assert (await closing(socket))[0] == 1009


async def test_a_socket_may_outlive_its_chain(peer: Peer, key: str) -> None:
    async with peer.connect(f"/ws/respond-false?key={key}") as socket:
        await request(peer, f"/note?key={key}")
        assert await socket.receive() == "from outside the chain"
        with pytest.raises(WebSocketClosed) as caught:
            await socket.receive()
        assert caught.value.code == 4002


async def test_a_sender_waits_for_a_peer_that_does_not_read(
    network_peer: NetworkPeer, key: str
) -> None:
    async with Raw.to(network_peer, handshake(f"/ws/endless?key={key}")) as connection:
        assert await connection.status() == 101
        assert await stalled(network_peer, key) < 512


async def test_a_frame_right_behind_the_handshake_is_no_fault(
    network_peer: NetworkPeer, differing: Differing
) -> None:
    async with Raw.to(network_peer, handshake("/ws/echo") + frame(b"hi")) as connection:
        assert await connection.status() == differing("early-frame-refused", 101, instead=400)


async def test_a_frame_right_behind_the_handshake_is_not_lost(
    network_peer: NetworkPeer, differing: Differing, skip_on: SkipOn
) -> None:
    skip_on("early-frame-refused")
    async with Raw.to(network_peer, handshake("/ws/echo") + frame(b"hi")) as connection:
        await connection.status()
        connection.send(frame(b"yo"))
        first = differing("early-frame-lost", b"hi", instead=b"yo")
        assert await connection.exactly(4) == b"\x81\x02" + first


async def test_the_connection_may_be_used_again_after_a_refusal(
    network_peer: NetworkPeer, differing: Differing
) -> None:
    async with Raw.to(network_peer, handshake("/ws/throws")) as connection:
        assert await connection.status() == 403
        assert await connection.exactly(7) == b"not you"
        connection.send(b"GET /teapot HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await connection.status() == differing("refusal-closes", 418, instead=None)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ((b"dGhlIHNhbXBsZSBub25jZQ==", b"abc"), 400),
        ((b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b""), 400),
        ((b"Version: 13", b"Version: 8"), 426),
        ((b"Sec-WebSocket-Version: 13\r\n", b""), 400),
    ],
)
async def test_a_bad_handshake_never_becomes_a_socket(
    network_peer: NetworkPeer, differing: Differing, change: tuple[bytes, bytes], status: int
) -> None:
    """RFC 6455, 4.2.1."""
    async with Raw.to(network_peer, handshake("/ws/echo").replace(*change)) as connection:
        expected = differing("own-bad-handshakes", {status}, instead=REFUSALS)
        assert await connection.status() in expected


async def test_a_post_never_becomes_a_socket(
    network_peer: NetworkPeer, differing: Differing
) -> None:
    post = handshake("/ws/echo").replace(b"GET", b"POST")
    async with Raw.to(network_peer, post) as connection:
        refused = differing("own-bad-handshakes", {400}, instead=REFUSALS)
        assert await connection.status() in differing("post-handshake", refused, instead={101})


async def test_a_ping_is_answered(peer: Peer, differing: Differing) -> None:
    async with peer.connect("/ws/ping") as socket:
        assert await ending(socket) == differing(
            "no-ping", ("answered", 1000), instead=(None, 1011)
        )
