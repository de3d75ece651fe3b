"""Requests and responses, the same over every server."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from .clients import NetworkPeer, Peer, Raw, noted, request, stalled
from .conftest import Differing


async def test_a_request_reads_the_same(peer: Peer) -> None:
    answer = await request(
        peer, "/request?q=a%20b", fields=[("X-Header", "yes"), ("Cookie", "a=1; b=2")]
    )
    assert answer.status == 200
    assert answer.get("content-type") == "application/json; charset=utf-8"
    assert answer.json() == {
        "method": "GET",
        "url": "/request?q=a%20b",
        "original_url": "/request?q=a%20b",
        "path": "/request",
        "query": "a b",
        "header": "yes",
        "host": "example.org",
        "protocol": "http",
        "ip": "127.0.0.1",
        "cookie": "1",
        "upgradable": False,
        "scope": "http",
    }


async def test_a_path_stays_percent_encoded(peer: Peer) -> None:
    answer = await request(peer, "/a%20b/c%2Fd")
    assert answer.body == b"/a%20b/c%2Fd"


async def test_the_lifespan_was_entered(peer: Peer) -> None:
    assert (await request(peer, "/started")).json() == {"started": True}


@pytest.mark.parametrize(
    ("query", "method", "size"),
    [("key=whole", "GET", 5), ("key=head", "HEAD", 0), ("key=pieces&pieces", "GET", 15)],
)
async def test_the_bytes_of_a_body_are_counted(
    peer: Peer, query: str, method: str, size: int
) -> None:
    await request(peer, f"/size?{query}", method=method)
    key = query.removeprefix("key=").removesuffix("&pieces")
    assert await noted(peer, key) == size


@pytest.mark.parametrize("body", [b"", b"a", bytes(200_000)])
async def test_a_body_is_echoed(peer: Peer, body: bytes) -> None:
    answer = await request(
        peer, "/echo", method="POST", fields=[("Content-Type", "text/plain")], body=body
    )
    assert answer.body == body
    assert answer.get("content-length") == str(len(body))


async def test_an_upload_in_pieces_arrives_whole(peer: Peer) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(50):
            yield bytes([number]) * 10_000

    whole = b"".join([each async for each in pieces()])
    answer = await request(peer, "/upload", method="PUT", body=pieces())
    assert answer.json() == {"size": len(whole), "digest": hashlib.sha256(whole).hexdigest()}


async def test_a_body_above_the_limit_is_refused(peer: Peer) -> None:
    answer = await request(peer, "/echo", method="POST", body=bytes(1024 * 1024 + 1))
    assert answer.status == 413


async def test_a_body_may_be_left_unread(peer: Peer) -> None:
    answer = await request(peer, "/upload/unread", method="POST", body=b"abc")
    assert (answer.status, answer.body) == (413, b"too much")


async def test_cookies_and_latin_1_headers(peer: Peer) -> None:
    answer = await request(peer, "/cookies")
    names = [each.split("=")[0] for each in answer.get_all("set-cookie")]
    assert names == ["a", "b", "b.sig"]
    assert answer.get("x-header") == "é"


async def test_head_has_the_length_but_no_body(peer: Peer) -> None:
    answer = await request(peer, "/cookies", method="HEAD")
    assert (answer.status, answer.body, answer.get("content-length")) == (200, b"", "3")
    assert answer.is_whole


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/nowhere", 404, b"Not Found"),
        ("/teapot", 418, b"I'm a Teapot"),
        ("/empty", 204, b""),
        ("/not-modified", 304, b""),
        ("/throws", 409, b"taken"),
        ("/fails", 500, b"Internal Server Error"),
        ("/stream/fails-at-once", 500, b"Internal Server Error"),
    ],
)
async def test_statuses_and_their_bodies(peer: Peer, path: str, status: int, body: bytes) -> None:
    answer = await request(peer, path)
    assert (answer.status, answer.body, answer.is_whole) == (status, body, True)


async def test_an_error_brings_its_headers(peer: Peer) -> None:
    assert (await request(peer, "/throws")).get("x-reason") == "because"


async def test_a_redirect(peer: Peer) -> None:
    answer = await request(peer, "/redirect")
    assert (answer.status, answer.get("location")) == (302, "/elsewhere")


async def test_an_upgrade_that_was_not_asked_for_is_426(peer: Peer) -> None:
    answer = await request(peer, "/upgrade-required")
    assert (answer.status, answer.get("upgrade")) == (426, "websocket")


@pytest.mark.parametrize("path", ["/stream", "/stream/in-chain", "/stream/length"])
async def test_a_stream_arrives_whole(peer: Peer, path: str) -> None:
    answer = await request(peer, path)
    assert (answer.body, answer.is_whole) == (b"one two three", True)


@pytest.mark.parametrize("path", ["/stream", "/stream/in-chain"])
async def test_head_of_a_stream_has_no_body(peer: Peer, path: str) -> None:
    answer = await request(peer, path, method="HEAD")
    assert (answer.status, answer.body, answer.is_whole) == (200, b"", True)


async def test_an_error_after_the_first_byte_cuts_the_response(peer: Peer) -> None:
    answer = await request(peer, "/stream/breaks")
    assert answer.status == 200
    assert not answer.is_whole


async def test_the_head_leaves_before_the_body_is_known(peer: Peer, key: str) -> None:
    async with peer.stream("GET", f"/stream/held?key={key}") as stream:
        assert stream.answer.get("content-type") == "text/plain; charset=utf-8"
        await request(peer, f"/note?key={key}")
        assert await stream.next() == b"released"


async def test_a_big_stream_arrives_whole(peer: Peer) -> None:
    answer = await request(peer, "/stream/big?pieces=100")
    assert len(answer.body) == 100 * 64 * 1024
    assert answer.is_whole


async def test_a_stream_waits_for_a_client_that_does_not_read(peer: Peer, key: str) -> None:
    async with peer.stream("GET", f"/stream/endless?key={key}"):
        assert await stalled(peer, key) < 512


async def test_a_stream_that_never_waits_ends_when_the_client_goes(peer: Peer, key: str) -> None:
    """Most servers swallow what is sent to a client that has gone."""
    async with peer.stream("GET", f"/stream/endless?key={key}") as stream:
        assert await stream.next()
    assert await noted(peer, key) == "closed"


async def test_a_quiet_stream_is_cancelled_when_the_client_goes(peer: Peer, key: str) -> None:
    async with peer.stream("GET", f"/stream/quiet?key={key}") as stream:
        assert await stream.next() == b"first"
    assert await noted(peer, key) == "cancelled"


async def test_a_handler_hears_that_the_client_has_gone(peer: Peer, key: str) -> None:
    waiting = asyncio.create_task(request(peer, f"/waits?key={key}"))
    assert await noted(peer, f"{key}-begun") == "begun"
    waiting.cancel()
    assert await noted(peer, key) == "gone"


async def test_a_cut_upload_raises_in_the_handler(network_peer: NetworkPeer, key: str) -> None:
    head = f"POST /upload/cut?key={key} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
    async with Raw.to(network_peer, head.encode() + b"12345") as connection:
        await connection.end()
    assert await noted(network_peer, key) == "cut"


async def test_the_connection_serves_one_request_after_another(network_peer: NetworkPeer) -> None:
    def get(path: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()

    async with Raw.to(network_peer, get("/nowhere")) as connection:
        assert await connection.status() == 404
        assert await connection.exactly(9) == b"Not Found"
        connection.send(get("/empty"))
        assert await connection.status() == 204
        connection.send(get("/stream"))
        assert await connection.status() == 200
        assert (await connection.until(b"0\r\n\r\n")).endswith(b"three\r\n0\r\n\r\n")
        connection.send(get("/nowhere"))
        assert await connection.status() == 404


async def test_the_reason_phrase_is_sent(network_peer: NetworkPeer, differing: Differing) -> None:
    """RFC 9112, 4."""
    head = b"GET /message HTTP/1.1\r\nHost: a\r\n\r\n"
    async with Raw.to(network_peer, head) as connection:
        line = (await connection.head()).split(b"\r\n")[0]
    usual = {b"HTTP/1.1 200 OK", b"HTTP/1.1 200 "}
    assert line in differing("no-message", {b"HTTP/1.1 200 All Fine"}, instead=usual)


async def test_a_request_for_another_protocol_is_answered_over_http(
    network_peer: NetworkPeer, differing: Differing
) -> None:
    """RFC 9110, 7.8: the server may ignore Upgrade."""
    answer = await request(
        network_peer,
        "/echo",
        method="POST",
        fields=[("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "example/1")],
        body=b"abc",
    )
    assert (answer.status, answer.body) == differing(
        "foreign-upgrade",
        (200, b"abc"),
        instead=(400, b"the request body is shorter than its Content-Length"),
    )
