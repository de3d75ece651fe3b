"""The two entry points: one request, and the lifespan."""

import asyncio

import pytest

from ohia.adapters.asgi import ResponseAborted, serve, serve_lifespan
from ohia.exchange import Exchange
from ohia.http.headers import Headers

from .wire import CONNECT, GONE, Handler, Wire, body, http_scope, websocket_scope


async def answer(exchange: Exchange) -> None:
    await exchange.send_response(200, "OK", Headers(), b"hello")  # type: ignore[misc]


async def do_nothing(exchange: Exchange) -> None:
    """Answer nothing at all."""


async def break_off(exchange: Exchange) -> None:
    await exchange.send_head(200, "OK", Headers())  # type: ignore[misc]
    exchange.abort()


async def test_a_request_is_answered() -> None:
    wire = Wire()
    await serve(Handler(answer), http_scope(), wire.receive, wire.send)
    assert wire.types == ["http.response.start", "http.response.body"]


async def test_a_handshake_is_answered() -> None:
    wire = Wire().feed(CONNECT)
    await serve(Handler(answer), websocket_scope(), wire.receive, wire.send)
    assert wire.types == ["websocket.http.response.start", "websocket.http.response.body"]


@pytest.mark.parametrize("handle", [do_nothing, break_off])
async def test_an_unfinished_response_makes_the_server_cut(handle: object) -> None:
    wire = Wire()
    with pytest.raises(ResponseAborted):
        await serve(Handler(handle), http_scope(), wire.receive, wire.send)  # type: ignore[arg-type]


async def test_nothing_is_raised_where_nobody_listens_any_more() -> None:
    async def notice(exchange: Exchange) -> None:
        await exchange.disconnected.wait()

    wire = Wire().feed(body(), GONE)
    await serve(Handler(notice), http_scope(), wire.receive, wire.send)
    assert wire.sent == []


async def test_no_task_is_left_behind() -> None:
    before = asyncio.all_tasks()
    wire = Wire()
    with pytest.raises(ResponseAborted):
        await serve(Handler(break_off), http_scope(), wire.receive, wire.send)
    for _ in range(3):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_an_unknown_scope_is_refused() -> None:
    wire = Wire()
    with pytest.raises(ValueError, match="'webtransport'"):
        await serve(Handler(answer), {"type": "webtransport"}, wire.receive, wire.send)


STARTUP = {"type": "lifespan.startup"}
SHUTDOWN = {"type": "lifespan.shutdown"}


async def test_the_application_starts_and_stops_with_the_server() -> None:
    handler = Handler(answer)
    wire = Wire().feed(STARTUP, SHUTDOWN)
    await serve_lifespan(handler, {"type": "lifespan"}, wire.receive, wire.send)
    assert handler.calls == ["startup", "shutdown"]
    assert wire.types == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_a_failed_start_is_told_with_its_traceback() -> None:
    handler = Handler(answer, startup_error=RuntimeError("no database"))
    wire = Wire().feed(STARTUP, SHUTDOWN)
    await serve_lifespan(handler, {"type": "lifespan"}, wire.receive, wire.send)
    assert wire.types == ["lifespan.startup.failed"]
    assert "RuntimeError: no database" in wire.sent[0]["message"]
    assert handler.calls == ["startup"]


async def test_a_failed_stop_is_told_with_its_traceback() -> None:
    handler = Handler(answer, shutdown_error=RuntimeError("still busy"))
    wire = Wire().feed(STARTUP, SHUTDOWN)
    await serve_lifespan(handler, {"type": "lifespan"}, wire.receive, wire.send)
    assert wire.types == ["lifespan.startup.complete", "lifespan.shutdown.failed"]
    assert "still busy" in wire.sent[1]["message"]


async def test_a_server_that_gives_up_half_way_stops_the_application_all_the_same() -> None:
    handler = Handler(answer)
    wire = Wire().feed(STARTUP)
    task = asyncio.create_task(
        serve_lifespan(handler, {"type": "lifespan"}, wire.receive, wire.send)
    )
    await wire.until_sent(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert handler.calls == ["startup", "shutdown"]
