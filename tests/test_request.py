"""The side of a context that is read."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from ohia import ClientDisconnect, Context, Ohia
from ohia.adapters.memory import MemoryExchange
from ohia.errors import PayloadTooLarge
from ohia.http.headers import Headers
from ohia.middleware.router import Router
from ohia.testing import Client


async def read(
    function: Any, target: str = "/", method: str = "GET", content: Any = None, **options: Any
) -> Any:
    """Return what `function(ctx)` returns within a request."""
    headers = {name.replace("_", "-"): value for name, value in options.pop("headers", {}).items()}
    found: list[Any] = []
    app = Ohia(**{"env": "test", **options})

    @app.use
    async def look(ctx: Context) -> None:
        result = function(ctx)
        found.append(await result if hasattr(result, "__await__") else result)

    async with Client(app) as client:
        await client.request(method, target, headers=headers, content=content)
    return found[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("method", "GET"),
        ("url", "/a/b%20c?x=1&y=2"),
        ("original_url", "/a/b%20c?x=1&y=2"),
        ("path", "/a/b%20c"),
        ("querystring", "x=1&y=2"),
        ("search", "?x=1&y=2"),
        ("host", "example.com:8080"),
        ("hostname", "example.com"),
        ("protocol", "http"),
        ("secure", False),
        ("href", "http://example.com:8080/a/b%20c?x=1&y=2"),
        ("base_url", "http://example.com:8080"),
        ("origin", "http://o.example"),
        ("ips", []),
        ("idempotent", True),
        ("fresh", False),
        ("stale", True),
        ("mount_path", ""),
        ("upgradable", False),
        ("websocket", None),
    ],
)
async def test_what_a_request_says(name: str, value: Any) -> None:
    headers = {"host": "example.com:8080", "origin": "http://o.example"}
    found = await read(lambda ctx: getattr(ctx, name), "/a/b%20c?x=1&y=2", headers=headers)
    assert found == value


async def test_the_url_can_be_rewritten_part_by_part() -> None:
    def rewrite(ctx: Context) -> list[str]:
        ctx.path = "/new?"
        ctx.querystring = "?b=#"
        ctx.method = "PUT"
        after = [ctx.url, ctx.original_url, ctx.method]
        ctx.query = {"x": ["1", "2"], "y": True}
        return [*after, ctx.url, ctx.search]

    assert await read(rewrite, "/old?a=1") == [
        "/new%3F?b=%23",
        "/old?a=1",
        "PUT",
        "/new%3F?x=1&x=2&y=true",
        "?x=1&x=2&y=true",
    ]


async def test_the_parameters_of_a_route_are_the_requests_too() -> None:
    app = Ohia(env="test")
    router = Router()

    @router.get("/users/:id")
    async def user(ctx: Context) -> None:
        ctx.body = {"same": ctx.request.params is ctx.params, **ctx.request.params}

    app.use(router)
    async with Client(app) as client:
        answer = await client.get("/users/42")
    assert answer.json() == {"same": True, "id": "42"}


async def test_query_is_the_same_object_until_it_changes() -> None:
    def look(ctx: Context) -> Any:
        first = ctx.query
        same = first is ctx.query
        ctx.querystring = "a=3"
        return first["a"], first.get_all("a"), same, ctx.query["a"]

    assert await read(look, "/?a=1&a=2") == ("1", ["1", "2"], True, "3")


async def test_headers_ignore_case_and_join() -> None:
    def look(ctx: Context) -> Any:
        return (
            ctx.get("x-ONE"),
            ctx.get("Missing"),
            ctx.headers["X-One"],
            ctx.headers.get("missing"),
            "x-one" in ctx.headers,
        )

    found = await read(look, headers={"X-One": "1"})
    assert found == ("1", "", "1", None, True)


async def test_referer_and_referrer_are_the_same() -> None:
    found = await read(
        lambda ctx: (ctx.get("Referrer"), ctx.get("referer")), headers={"Referer": "/x"}
    )
    assert found == ("/x", "/x")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("evil.com:fake@legitimate.com", "legitimate.com"),  # S10
        ("user@", ""),
        ("[::1]/x", ""),  # S11
        ("[::1]evil.com", ""),
        ("foo.com/path", ""),  # S12
        ("foo.com#x", ""),
        ("x y", ""),
        ("::1", ""),
        ("[::1]:80", "[::1]"),
    ],
)
async def test_a_hostile_host_never_gets_through(host: str, expected: str) -> None:
    def look(ctx: Context) -> tuple[str, str]:
        assert "evil" not in ctx.href
        return ctx.hostname, ctx.path

    assert await read(look, "/p", headers={"Host": host}) == (expected, "/p")


async def test_without_a_proxy_forwarded_headers_mean_nothing() -> None:  # S15
    def look(ctx: Context) -> Any:
        return ctx.host, ctx.protocol, ctx.ip, ctx.ips, ctx.secure

    headers = {
        "Host": "real",
        "X-Forwarded-Host": "fake",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "6.6.6.6",
        "Forwarded": "for=6.6.6.6;host=fake;proto=https",
    }
    assert await read(look, headers=headers) == ("real", "http", "127.0.0.1", [], False)


@pytest.mark.parametrize(
    ("proxy", "ip", "ips"),
    [
        (True, "6.6.6.6", ["6.6.6.6", "10.0.0.1"]),
        (1, "10.0.0.1", ["10.0.0.1"]),  # S14
        (2, "6.6.6.6", ["6.6.6.6", "10.0.0.1"]),
        (["127.0.0.1"], "10.0.0.1", ["10.0.0.1"]),
        (["127.0.0.1", "10.0.0.0/8"], "6.6.6.6", ["6.6.6.6", "10.0.0.1"]),
        (["192.168.0.0/16"], "127.0.0.1", []),
    ],
)
async def test_a_proxy_is_trusted_as_far_as_told(proxy: Any, ip: str, ips: list[str]) -> None:
    headers = {"X-Forwarded-For": "6.6.6.6, 10.0.0.1"}
    assert await read(lambda ctx: (ctx.ip, ctx.ips), headers=headers, proxy=proxy) == (ip, ips)


@pytest.mark.parametrize(
    ("told", "expected"),
    [("https", "https"), ("HTTPS", "https"), ("javascript", "http"), (" ", "http"), ("", "http")],
)
async def test_the_protocol_is_http_or_https(told: str, expected: str) -> None:  # S13
    found = await read(lambda ctx: ctx.protocol, headers={"X-Forwarded-Proto": told}, proxy=True)
    assert found == expected


async def test_ip_can_be_set() -> None:
    def look(ctx: Context) -> str:
        ctx.ip = "1.2.3.4"
        return ctx.request.ip

    assert await read(look) == "1.2.3.4"


async def test_subdomains_follow_the_offset() -> None:
    headers = {"Host": "tobi.ferrets.example.com"}
    assert await read(lambda ctx: ctx.subdomains, headers=headers) == ["ferrets", "tobi"]
    found = await read(lambda ctx: ctx.subdomains, headers=headers, subdomain_offset=3)
    assert found == ["tobi"]
    assert await read(lambda ctx: ctx.subdomains, headers={"Host": "127.0.0.1"}) == []


async def test_URL_is_frozen_parts_or_None() -> None:  # noqa: N802
    url = await read(lambda ctx: ctx.URL, "/a?b=1", headers={"Host": "Example.com:80"})
    assert (url.host, url.pathname, url.search) == ("example.com", "/a", "?b=1")
    url = await read(lambda ctx: ctx.URL, "///a", headers={"Host": "["})
    assert (url.href, url.host) == (None, None)


@pytest.mark.parametrize("target", ["@evil.com", "*", "//evil.com/a"])  # security: row 19
async def test_a_target_never_moves_the_host(target: str) -> None:
    seen: list[Any] = []
    app = Ohia(env="test")
    app.use(lambda ctx: seen.extend([ctx.href[:12], ctx.URL.host]))
    await MemoryExchange("GET", target, Headers({"Host": "good"})).serve(app)
    assert seen == ["http://good/", "good"]


async def test_accepts_and_its_kin() -> None:
    headers = {
        "Accept": "text/html;q=0.5, application/json",
        "Accept-Encoding": "gzip;q=0.5, br",
        "Accept-Language": "en-US, de;q=0.1",
        "Accept-Charset": "utf-8",
    }

    def look(ctx: Context) -> Any:
        return (
            ctx.accepts("html", "json"),
            ctx.accepts(["png"]),
            ctx.accepts(),
            ctx.accepts_encodings("gzip", "br"),
            ctx.accepts_languages("en", "de"),
            ctx.accepts_charsets("utf-8"),
            ctx.accept.types("html"),
        )

    assert await read(look, headers=headers) == (
        "json", False, ["application/json", "text/html"], "br", "en", "utf-8", "html",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (["json"], "json"),
        (["html", "json"], "json"),
        (["html"], False),
        (["application/*"], "application/json"),
        ([], "application/json"),
    ],
)
async def test_is_tells_the_type_of_the_body(types: list[str], expected: Any) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    found = await read(lambda ctx: ctx.is_(*types), method="POST", content=b"{}", headers=headers)
    assert found == expected


async def test_is_without_a_body_is_None() -> None:  # noqa: N802
    assert await read(lambda ctx: ctx.is_("json")) is None


async def test_type_charset_and_length_are_the_requests_on_the_view() -> None:
    headers = {"Content-Type": "text/plain; charset=latin1"}

    def look(ctx: Context) -> Any:
        return ctx.request.type, ctx.request.charset, ctx.request.length, ctx.type, ctx.length

    found = await read(look, method="POST", content=b"abc", headers=headers)
    assert found == ("text/plain", "latin1", 3, "", None)


async def test_fresh_compares_what_the_response_says() -> None:
    def look(ctx: Context) -> bool:
        ctx.status = 200
        ctx.etag = "a"
        return ctx.fresh

    assert await read(look, headers={"If-None-Match": '"a"'}) is True
    assert await read(look, headers={"If-None-Match": '"b"'}) is False
    assert await read(look, method="POST", headers={"If-None-Match": '"a"'}) is False


async def test_the_body_may_be_read_by_many() -> None:
    async def look(ctx: Context) -> Any:
        first = await ctx.request.read()
        pieces = [piece async for piece in ctx.request.stream()]
        return first, await ctx.request.text(), await ctx.request.json(), pieces

    found = await read(look, method="POST", content=b'{"a":1}')
    assert found == (b'{"a":1}', '{"a":1}', {"a": 1}, [b'{"a":1}'])


async def test_json_takes_a_type() -> None:
    class Point(msgspec.Struct):
        x: int

    async def look(ctx: Context) -> Any:
        return await ctx.request.json(Point)

    assert await read(look, method="POST", content=b'{"x":1}') == Point(1)


async def status_of(function: Any, content: Any, **options: Any) -> Any:
    app = Ohia(**{"env": "test", **options})

    @app.use
    async def look(ctx: Context) -> None:
        ctx.body = await function(ctx)

    async with Client(app) as client:
        response = await client.post("/", content=content)
    return response.status, response.text


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[" * 100_000, b"nope", b"\xef\xbb\xbf{}"], ids=repr
)
async def test_bad_json_is_a_400(content: bytes) -> None:
    status, text = await status_of(lambda ctx: ctx.request.json(), content)
    assert status == 400
    assert text.startswith("Invalid JSON")


async def test_an_empty_body_is_called_so() -> None:
    found = await status_of(lambda ctx: ctx.request.json(), b"")
    assert found == (400, "Invalid JSON: the body is empty")


async def test_json_of_another_shape_is_a_400_that_says_where() -> None:
    found = await status_of(lambda ctx: ctx.request.json(dict[str, int]), b'{"x":"1"}')
    assert found == (400, "Invalid JSON: Expected `int`, got `str` - at `$[...]`")


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"x" * 1000


@pytest.mark.parametrize("content", [b"x" * 1001, endless()], ids=["length", "chunked"])
async def test_a_body_beyond_max_body_is_a_413(content: Any) -> None:
    status, _ = await status_of(lambda ctx: ctx.request.read(), content, max_body=1000)
    assert status == 413


async def test_a_limit_of_ones_own_goes_before_max_body() -> None:
    assert (await status_of(lambda ctx: ctx.request.read(10), b"x" * 11))[0] == 413
    assert (await status_of(lambda ctx: ctx.request.read(10), b"x" * 9, max_body=1))[0] == 200


async def test_a_reader_survives_a_call_that_is_cancelled_and_counts_as_a_stream() -> None:
    go = asyncio.Event()

    async def late() -> AsyncIterator[bytes]:
        await go.wait()
        yield b"late"

    async def look(ctx: Context) -> None:
        next_piece = ctx.request._body.reader()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await next_piece()
        go.set()
        assert [await next_piece(), await next_piece()] == [b"late", b""]
        with pytest.raises(RuntimeError, match="already read as a stream"):
            await ctx.request.read()

    await read(look, method="POST", content=late())


async def test_read_after_a_stream_was_begun_is_an_error() -> None:
    async def look(ctx: Context) -> None:
        async for _ in ctx.request.stream():
            break
        with pytest.raises(RuntimeError, match="already read as a stream"):
            await ctx.request.read()

    await read(look, method="POST", content=b"x")


@pytest.mark.parametrize(
    ("charset", "content", "expected"),
    [
        ("", "é".encode(), (200, "é")),
        ("latin1", b"\xe9", (200, "é")),
        ("utf-8", b"\xe9", (400, "Invalid text for charset utf-8")),
        ("nope", b"", (400, "Unsupported charset")),
        ("zip", b"", (400, "Unsupported charset")),
        ("punycode", b"", (400, "Unsupported charset")),
    ],
)
async def test_text_by_its_charset(charset: str, content: bytes, expected: Any) -> None:
    app = Ohia(env="test")

    @app.use
    async def look(ctx: Context) -> None:
        ctx.body = await ctx.request.text()

    headers = {"Content-Type": f"text/plain; charset={charset}"} if charset else {}
    async with Client(app) as client:
        response = await client.post("/", content=content, headers=headers)
    assert (response.status, response.text) == expected


async def test_a_client_that_goes_in_its_upload_is_no_error() -> None:
    caught: list[BaseException] = []
    errors: list[Any] = []

    async def cut() -> AsyncIterator[bytes]:
        yield b"part"
        raise ConnectionResetError

    app = Ohia(env="test")
    app.on("error", errors.append)

    @app.use
    async def look(ctx: Context) -> None:
        try:
            await ctx.request.read()
        except ClientDisconnect as error:
            caught.append(error)
            raise

    async with Client(app) as client:
        with pytest.raises(ConnectionError):
            await client.post("/", content=cut())
    assert (len(caught), errors) == (1, [])


async def test_the_socket_tells_both_ends() -> None:
    socket = await read(lambda ctx: ctx.socket)
    assert (socket.remote_address, socket.encrypted) == ("127.0.0.1", False)


async def test_users_attributes_on_a_view_are_its_own() -> None:
    def look(ctx: Context) -> Any:
        ctx.request.note = "mine"
        return ctx.request.note, hasattr(ctx, "note")

    assert await read(look) == ("mine", False)


async def test_a_filter_changes_what_is_read() -> None:
    async def upper(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            yield b""  # says nothing, and ends nothing
            yield piece.upper()

    async def look(ctx: Context) -> Any:
        ctx.request.filter(upper)
        ctx.request.filter(upper)
        return await ctx.request.text(), [piece async for piece in ctx.request.stream()]

    assert await read_body(look, b"body") == ("BODY", [b"BODY"])


async def test_a_filter_reads_anew_what_was_kept() -> None:
    async def twice(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            yield piece * 2

    async def look(ctx: Context) -> Any:
        kept = await ctx.request.read()
        ctx.request.filter(twice)
        with pytest.raises(PayloadTooLarge):
            await ctx.request.read(limit=7)
        return kept

    assert await read_body(look, b"body") == b"body"


async def test_what_a_filter_did_not_read_to_its_end_never_looks_whole() -> None:
    async def stuck(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            await asyncio.Event().wait()
            yield piece

    async def look(ctx: Context) -> None:
        ctx.request.filter(stuck)
        read = ctx.request._body.reader()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(read(), 0.01)
        with pytest.raises(RuntimeError, match="stopped before its end"):
            await read()

    await read_body(look, b"body")


async def test_a_filter_after_a_stream_is_an_error() -> None:
    async def look(ctx: Context) -> None:
        async for _ in ctx.request.stream():
            break
        with pytest.raises(RuntimeError, match="filter it before"):
            ctx.request.filter(lambda pieces: pieces)

    await read_body(look, b"body")


async def test_text_and_json_take_a_limit() -> None:
    async def look(ctx: Context) -> Any:
        with pytest.raises(PayloadTooLarge):
            await ctx.request.json(limit=3)
        return await ctx.request.json(limit=4), await ctx.request.text(limit=4)

    assert await read_body(look, b"[12]", max_body=2) == ([12], "[12]")


async def read_body(look: Any, content: bytes, **settings: Any) -> Any:
    seen: list[Any] = []
    app = Ohia(env="test", **settings)

    @app.use
    async def handler(ctx: Context) -> None:
        seen.append(await look(ctx))

    async with Client(app) as client:
        await client.post("/", content=content)
    return seen[0]
