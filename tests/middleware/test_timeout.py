import asyncio
from datetime import timedelta
from typing import Any

import pytest

from ohia import Context, HTTPError, Next, Ohia
from ohia.middleware.timeout import timeout
from ohia.testing import Client, UpgradeRefused

SOON = 0.01
LATER = 30


def app_of(*middleware: Any) -> Ohia:
    app = Ohia(env="test")
    app.use(*middleware)
    return app


async def hang(ctx: Context) -> None:
    await asyncio.Event().wait()


async def status_of(*middleware: Any) -> int:
    async with Client(app_of(*middleware), raise_errors=False) as client:
        return (await client.get("/")).status


async def test_what_takes_too_long_is_cancelled_and_answered_503() -> None:
    seen: list[str] = []

    async def slow(ctx: Context) -> None:
        try:
            await hang(ctx)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    app = app_of(timeout(SOON), slow)
    app.on("error", lambda error: seen.append(str(error)))
    async with Client(app, raise_errors=False) as client:
        response = await client.get("/")
    assert (response.status, response.text) == (503, "Service Unavailable")
    assert seen == ["cancelled", "No answer within 0.01 s"]


async def test_upstream_meets_an_http_error_with_the_chosen_status_and_message() -> None:
    seen: list[HTTPError] = []

    async def upstream(ctx: Context, next: Next) -> None:
        try:
            await next()
        except HTTPError as error:
            seen.append(error)

    await status_of(upstream, timeout(timedelta(seconds=SOON), status=504, message="Late"), hang)
    [error] = seen
    assert (error.status, error.message, error.expose) == (504, "Late", False)
    assert type(error.__cause__) is TimeoutError


async def test_what_is_in_time_is_left_alone() -> None:
    async def quick(ctx: Context) -> None:
        ctx.body = "quick"

    assert await status_of(timeout(LATER), quick) == 200


async def test_a_timeout_of_downstream_s_own_passes_as_it_is() -> None:
    async def own(ctx: Context) -> None:
        async with asyncio.timeout(SOON):
            await hang(ctx)

    with pytest.raises(TimeoutError):
        async with Client(app_of(timeout(LATER), own)) as client:
            await client.get("/")


@pytest.mark.parametrize(
    ("outer", "inner", "expected"), [(SOON, LATER, 503), (LATER, SOON, 504), (SOON, SOON, 503)]
)
async def test_of_nested_timeouts_the_first_to_run_out_answers(
    outer: float, inner: float, expected: int
) -> None:
    assert await status_of(timeout(outer), timeout(inner, status=504), hang) == expected


async def test_a_cancelled_task_is_not_mistaken_for_a_timeout() -> None:
    started, seen = asyncio.Event(), list[type[BaseException]]()

    async def upstream(ctx: Context, next: Next) -> None:
        try:
            await next()
        except BaseException as error:
            seen.append(type(error))
            raise

    async def slow(ctx: Context) -> None:
        started.set()
        await hang(ctx)

    app = app_of(upstream, timeout(LATER), slow)
    async with Client(app, raise_errors=False) as client:
        task = asyncio.create_task(client.get("/"))
        await started.wait()
        [running] = client._tasks
        running.cancel()
        await asyncio.wait([running, task])
        assert running.cancelled()
        task.exception()
    assert seen == [asyncio.CancelledError]


async def test_cleanup_during_the_cancellation_is_waited_for() -> None:
    seen: list[str] = []

    async def slow(ctx: Context) -> None:
        try:
            await hang(ctx)
        finally:
            for _ in range(10):
                await asyncio.sleep(0)
            seen.append("clean")

    assert await status_of(timeout(SOON), slow) == 503
    assert seen == ["clean"]


async def test_cleanup_that_hangs_is_cancelled_in_its_turn() -> None:
    async def slow(ctx: Context) -> None:
        try:
            await hang(ctx)
        finally:
            await hang(ctx)

    assert await status_of(timeout(SOON, cleanup=SOON), slow) == 503


async def test_cleanup_may_take_for_ever_if_so_wanted() -> None:
    async def slow(ctx: Context) -> None:
        try:
            await hang(ctx)
        finally:
            await asyncio.sleep(0)

    assert await status_of(timeout(SOON, cleanup=None), slow) == 503


async def test_a_downstream_that_swallows_the_cancellation_is_answered_as_usual() -> None:
    async def stubborn(ctx: Context) -> None:
        try:
            await hang(ctx)
        except asyncio.CancelledError:
            ctx.body = "what I have so far"

    async def upstream(ctx: Context, next: Next) -> None:
        await next()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    assert await status_of(upstream, timeout(SOON), stubborn) == 200


async def test_an_error_raised_during_the_cancellation_is_the_error() -> None:
    async def slow(ctx: Context) -> None:
        try:
            await hang(ctx)
        finally:
            raise KeyError("cleanup")

    with pytest.raises(KeyError):
        async with Client(app_of(timeout(SOON), slow)) as client:
            await client.get("/")


async def until_run_out() -> None:
    """Wait longer than `timeout(SOON)` would."""
    loop = asyncio.get_running_loop()
    passed = loop.create_future()
    loop.call_later(2 * SOON, passed.set_result, None)
    await passed


async def test_an_upgraded_request_is_not_timed() -> None:
    async def echo(ctx: Context) -> None:
        socket = await ctx.upgrade()
        await until_run_out()
        await socket.send("still here")

    async with Client(app_of(timeout(SOON), echo)) as client, client.websocket("/") as socket:
        assert await socket.receive() == "still here"


async def test_an_in_chain_stream_is_not_timed() -> None:
    async def write(ctx: Context) -> None:
        async with ctx.stream() as out:
            await until_run_out()
            await out.write("still here")

    async with Client(app_of(timeout(SOON), write)) as client:
        assert (await client.get("/")).text == "still here"


async def test_a_body_sent_after_the_chain_is_not_timed() -> None:
    async def pieces() -> Any:
        await until_run_out()
        yield "still here"

    async def write(ctx: Context) -> None:
        ctx.body = pieces()

    async with Client(app_of(timeout(SOON), write)) as client:
        assert (await client.get("/")).text == "still here"


async def test_below_a_socket_it_does_nothing() -> None:
    async def upgraded(ctx: Context, next: Next) -> None:
        await ctx.upgrade()
        await next()

    async def talk(ctx: Context) -> None:
        await until_run_out()
        await (await ctx.upgrade()).send("still here")

    app = app_of(upgraded, timeout(SOON), talk)
    async with Client(app) as client, client.websocket("/") as socket:
        assert await socket.receive() == "still here"


async def test_an_upgrade_upstream_after_the_chain_has_left_it_is_no_error() -> None:
    async def late(ctx: Context, next: Next) -> None:
        await next()
        await (await ctx.upgrade()).send("hello")

    app = app_of(late, timeout(LATER))
    async with Client(app) as client, client.websocket("/") as socket:
        assert await socket.receive() == "hello"


async def test_an_upgrade_after_time_ran_out_lives_on() -> None:
    async def stubborn(ctx: Context) -> None:
        try:
            await hang(ctx)
        except asyncio.CancelledError:
            socket = await ctx.upgrade()
        await until_run_out()
        await socket.send("hello")

    app = app_of(timeout(SOON, cleanup=SOON), stubborn)
    async with Client(app) as client, client.websocket("/") as socket:
        assert await socket.receive() == "hello"


async def test_a_handshake_that_hangs_is_refused() -> None:
    async with Client(app_of(timeout(SOON), hang), raise_errors=False) as client:
        with pytest.raises(UpgradeRefused) as refused:
            await client.websocket("/").__aenter__()
    assert refused.value.response.status == 503


@pytest.mark.parametrize(
    "wrong",
    [{"seconds": 0}, {"seconds": -1}, {"seconds": 1, "cleanup": 0}, {"seconds": 1, "status": 200}],
)
def test_what_is_no_time_or_no_error_is_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="got"):
        timeout(**wrong)
