"""A finished response onto the wire; errors."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ohia import ClientDisconnect, Context, HTTPError, Ohia
from ohia.testing import Client, Response


def app_of(*middleware: Any, **options: Any) -> Ohia:
    app: Ohia = Ohia(**{"env": "test", **options})
    app.use(*middleware)
    return app


async def answer(*middleware: Any, method: str = "GET", **options: Any) -> Response:
    async with Client(app_of(*middleware, **options), raise_errors=False) as client:
        return await client.request(method, "/")


def raising(error: BaseException) -> Any:
    async def middleware(ctx: Context) -> None:
        raise error

    return middleware


class Foreign(Exception):
    def __init__(self, **attributes: Any) -> None:
        super().__init__("secret")
        vars(self).update(attributes)


class Frozen(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (ValueError("secret"), 500, "Internal Server Error"),  # S37
        (HTTPError(403, "no entry"), 403, "no entry"),
        (HTTPError(503, "secret"), 503, "Service Unavailable"),
        (HTTPError(503, "shown", expose=True), 503, "shown"),
        (HTTPError(404, "secret", expose=False), 404, "Not Found"),
        (HTTPError(499, "odd"), 499, "odd"),
        (Foreign(status=404), 404, "Not Found"),
        (Foreign(status=404, expose=True, message="shown"), 404, "shown"),
        (Foreign(status=447), 447, "447"),
        (Foreign(status=204), 500, "Internal Server Error"),  # S39
        (Foreign(status=304), 500, "Internal Server Error"),
        (Foreign(status=100), 500, "Internal Server Error"),
        (Foreign(status="404"), 500, "Internal Server Error"),
        (Foreign(status=600), 500, "Internal Server Error"),
        (Foreign(status=-1), 500, "Internal Server Error"),
        (Foreign(status=True), 500, "Internal Server Error"),
        (Foreign(status=400, expose=True, message=5), 400, "5"),  # S38
        (Frozen("secret"), 500, "Internal Server Error"),  # S38
        (FileNotFoundError("secret"), 500, "Internal Server Error"),  # P7
        (asyncio.CancelledError(), 500, "Internal Server Error"),  # P5
        (SystemExit(3), 500, "Internal Server Error"),
        (KeyboardInterrupt(), 500, "Internal Server Error"),
        (GeneratorExit(), 500, "Internal Server Error"),
        (RecursionError(), 500, "Internal Server Error"),
        (MemoryError(), 500, "Internal Server Error"),
        (StopIteration(), 500, "Internal Server Error"),
        (StopAsyncIteration(), 500, "Internal Server Error"),
    ],
    ids=repr,
)
async def test_what_a_client_sees_of_an_error(error: Any, status: int, text: str) -> None:
    response = await answer(raising(error))
    assert (response.status, response.text) == (status, text)
    assert response.headers["content-type"] == "text/plain; charset=utf-8"


async def test_an_error_clears_headers_but_sticky_ones_and_adds_its_own() -> None:
    async def middleware(ctx: Context) -> None:
        ctx.set("X-Lost", "1")
        ctx.set("X-Kept", "1", sticky=True)
        ctx.set("X-Ended", "1", sticky=True)
        ctx.set("X-Ended", "2")
        ctx.vary("Origin", sticky=True)
        ctx.cookies.set("lost", "1")
        ctx.cookies.set("kept", "1", sticky=True)
        headers = {"X-Own": "1", "Vary": "Accept", "Content-Type": "x", "Content-Length": "9"}
        ctx.throw(401, headers=headers)

    headers = (await answer(middleware)).headers
    assert {"x-lost", "x-ended"}.isdisjoint(headers)
    assert (headers["x-kept"], headers["x-own"]) == ("1", "1")
    assert headers["vary"] == "Origin, Accept"
    assert headers.get_all("set-cookie") == ["kept=1; path=/; httponly"]
    assert headers["content-length"] == "12"


async def test_an_error_with_unsendable_headers_is_a_500() -> None:
    response = await answer(raising(HTTPError(401, headers={"X-A": "a\r\nb"})))
    assert (response.status, response.text) == (500, "Internal Server Error")
    assert "x-a" not in response.headers


async def test_a_method_that_became_HEAD_has_an_answer_without_a_body() -> None:  # noqa: N802
    def middleware(ctx: Context) -> None:
        ctx.body = "hello"
        ctx.method = "HEAD"

    response = await answer(middleware)
    assert (response.status, response.content) == (200, b"")


async def test_an_error_answer_to_HEAD_has_no_body() -> None:  # noqa: N802
    response = await answer(raising(HTTPError(403)), method="HEAD")
    assert (response.status, response.content) == (403, b"")


async def test_before_send_runs_last_first_and_may_change_the_head() -> None:
    order: list[int] = []

    async def middleware(ctx: Context) -> None:
        async def second(ctx: Context) -> None:
            order.append(2)
            ctx.set("X-Status", ctx.status)
            ctx.status = 201

        ctx.before_send(lambda ctx: order.append(1))
        ctx.before_send(second)
        ctx.body = "x"

    response = await answer(middleware)
    assert (response.status, order) == (201, [2, 1])
    assert response.headers["x-status"] == "200"


async def test_before_send_runs_for_errors_and_HEAD() -> None:  # noqa: N802
    async def middleware(ctx: Context) -> None:
        ctx.before_send(lambda ctx: ctx.set("X-Hook", ctx.status))
        ctx.throw(409)

    assert (await answer(middleware)).headers["x-hook"] == "409"
    assert (await answer(middleware, method="HEAD")).headers["x-hook"] == "409"


async def test_before_send_that_raises_is_a_500() -> None:
    async def middleware(ctx: Context) -> None:
        ctx.before_send(lambda ctx: 1 / 0)
        ctx.body = "x"

    response = await answer(middleware)
    assert (response.status, response.text) == (500, "Internal Server Error")


async def test_before_send_that_raises_for_an_error_answer_is_a_500_too() -> None:
    async def middleware(ctx: Context) -> None:
        ctx.before_send(lambda ctx: 1 / 0)
        ctx.throw(409)

    assert (await answer(middleware)).status == 500


async def test_before_send_can_turn_a_body_into_304() -> None:
    async def middleware(ctx: Context) -> None:
        ctx.before_send(lambda ctx: setattr(ctx, "status", 304))
        ctx.body = iter(["x"])

    response = await answer(middleware)
    assert (response.status, response.content) == (304, b"")


async def test_on_finished_runs_after_the_last_byte() -> None:
    calls: list[Any] = []

    async def middleware(ctx: Context) -> None:
        async def later(err: BaseException | None, ctx: Context) -> None:
            calls.append((err, ctx.status, ctx.writable))

        ctx.on_finished(later)
        ctx.body = "x"

    await answer(middleware)
    assert calls == [(None, 200, False)]


async def test_on_finished_gets_the_error_and_its_own_failure_stops_nothing() -> None:
    calls: list[Any] = []

    def middleware(ctx: Context) -> None:
        ctx.on_finished(lambda err, ctx: 1 / 0)
        ctx.on_finished(lambda err, ctx: calls.append(err))
        ctx.throw(400)

    assert (await answer(middleware)).status == 400
    assert [each.status for each in calls] == [400]


async def test_an_error_after_the_first_byte_cuts_the_connection() -> None:
    errors: list[Any] = []

    async def middleware(ctx: Context) -> None:
        async def pieces() -> AsyncIterator[str]:
            yield "a"
            raise ValueError("late")

        ctx.body = pieces()

    app = app_of(middleware)
    app.on("error", lambda err, ctx: errors.append((err, err.header_sent)))
    async with Client(app, raise_errors=False) as client:
        with pytest.raises(ConnectionError):
            await client.get("/")
    assert [(str(err), sent) for err, sent in errors] == [("late", True)]


@pytest.mark.parametrize("length", [1, 3])
async def test_a_stream_that_misses_its_length_is_cut(length: int) -> None:
    async def middleware(ctx: Context) -> None:
        ctx.body = iter(["a", "b"])
        ctx.length = length

    async with Client(app_of(middleware), raise_errors=False) as client:
        with pytest.raises(ConnectionError):
            await client.get("/")


async def test_the_clients_going_cancels_a_stream_at_its_await() -> None:
    ends: list[Any] = []
    finished: list[Any] = []
    errors: list[Any] = []
    never = asyncio.Event()

    async def pieces() -> AsyncIterator[str]:
        try:
            yield "a"
            await never.wait()
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise
        finally:
            ends.append("closed")

    async def middleware(ctx: Context) -> None:
        ctx.on_finished(lambda err, ctx: finished.append(err))
        ctx.body = pieces()

    app = app_of(middleware)
    app.on("error", errors.append)
    async with Client(app) as client, client.stream("GET", "/") as response:
        assert await anext(aiter(response)) == b"a"
    assert ends == ["cancelled", "closed"]
    assert errors == []
    assert isinstance(finished[0], ClientDisconnect)


async def test_flush_headers_sends_them_and_takes_a_body_later() -> None:
    async def middleware(ctx: Context) -> None:
        ctx.status = 202
        ctx.set("X-Early", "1")
        await ctx.flush_headers()
        assert ctx.header_sent
        ctx.body = "late"

    response = await answer(middleware)
    assert (response.status, response.content) == (202, b"late")
    assert response.headers["x-early"] == "1"


async def test_flushed_headers_with_no_body_at_all_end_empty() -> None:
    async def middleware(ctx: Context) -> None:
        ctx.status = 200
        await ctx.flush_headers()
        ctx.body = None

    response = await answer(middleware)
    assert (response.status, response.content) == (200, b"")


async def test_a_status_that_is_not_final_is_a_500() -> None:  # S39
    def middleware(ctx: Context) -> None:
        ctx.status = 199
        ctx.body = "x"

    assert (await answer(middleware)).status == 500


async def test_respond_False_without_a_stream_or_socket_is_an_error() -> None:  # noqa: N802
    def middleware(ctx: Context) -> None:
        ctx.respond = False

    assert (await answer(middleware)).status == 500


async def test_compact_json_when_json_spaces_is_0() -> None:
    def middleware(ctx: Context) -> None:
        ctx.body = {"a": ["é"]}

    assert (await answer(middleware, json_spaces=0)).content == '{"a":["é"]}'.encode()


async def test_a_source_is_closed_in_peace_if_the_client_had_gone_before() -> None:
    steps: list[str] = []
    begun, over = asyncio.Event(), asyncio.Event()

    class Source:
        def __aiter__(self) -> "Source":
            return self

        async def __anext__(self) -> bytes:
            return b"x"

        async def aclose(self) -> None:
            await asyncio.sleep(0)
            steps.append("closed")

    async def late(ctx: Context) -> None:
        async def finished(err: BaseException | None, ctx: Context) -> None:
            await asyncio.sleep(0)
            steps.append(type(err).__name__)
            over.set()

        ctx.on_finished(finished)
        ctx.body = Source()
        begun.set()
        await ctx.disconnected.wait()

    app = app_of(late)
    async with app.listen(0) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await begun.wait()
        writer.transport.abort()
        await over.wait()
    assert steps == ["closed", "ClientDisconnect"]


async def test_a_head_that_cannot_be_written_is_a_500() -> None:
    async def misnumbering(ctx: Context) -> None:
        ctx.set("Content-Length", "many")
        ctx.body = iter([b"x"])

    async with app_of(misnumbering).listen(0) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 500 Internal Server Error\r\n"
        writer.close()
        await writer.wait_closed()


async def test_an_informational_status_is_not_flushed() -> None:  # S39
    async def middleware(ctx: Context) -> None:
        ctx.status = 101
        await ctx.flush_headers()

    assert (await answer(middleware)).status == 500


async def test_an_error_page_gives_the_answer_another_body_only() -> None:
    def page(error: BaseException, ctx: Context) -> None:
        ctx.type = "json"
        ctx.body = {"told": str(error)}

    async def middleware(ctx: Context) -> None:
        ctx.error_page = page
        ctx.set("X-Kept", "1", sticky=True)
        ctx.set("X-Lost", "1")
        raise HTTPError(418, "short", headers={"X-Its": "1"})

    response = await answer(middleware)
    assert (response.status, response.json()) == (418, {"told": "short"})
    assert response.headers.get("x-kept") == response.headers.get("x-its") == "1"
    assert "x-lost" not in response.headers


@pytest.mark.parametrize("when", ["called", "sent"])
async def test_an_error_page_that_fails_is_an_error_of_its_own_answered_plainly(when: str) -> None:
    seen: list[str] = []

    async def pieces() -> AsyncIterator[bytes]:
        raise LookupError("page")
        yield b""

    async def page(error: BaseException, ctx: Context) -> None:
        ctx.body = pieces()
        if when == "called":
            raise LookupError("page")

    async def middleware(ctx: Context) -> None:
        ctx.error_page = page
        raise HTTPError(418, "short")

    app = app_of(middleware)
    app.on("error", lambda error: seen.append(str(error)))
    async with Client(app, raise_errors=False) as client:
        response = await client.get("/")
    assert (response.status, response.text) == (500, "Internal Server Error")
    assert seen == ["short", "page"]


async def test_a_body_that_cannot_be_made_gets_the_error_page_too() -> None:
    async def middleware(ctx: Context) -> None:
        ctx.error_page = lambda _, ctx: setattr(ctx, "body", "the page")
        ctx.body = {"not": object()}

    response = await answer(middleware)
    assert (response.status, response.text) == (500, "the page")
