"""How long an answer took."""

import re
import time
from typing import Any

import pytest

from ohia import Context, Ohia
from ohia.middleware.response_time import response_time
from ohia.testing import Client

UNTIL_THE_HEAD = re.compile(r"\d+\.\dms")


def app_of(*middleware: Any, **options: Any) -> Ohia:
    app: Ohia = Ohia(env="test")
    app.use(response_time(**options), *middleware)
    app.on("error", lambda error: None)
    return app


def hello(ctx: Context) -> None:
    ctx.body = "hello"


def fail(ctx: Context) -> None:
    raise ValueError


async def stream(ctx: Context) -> None:
    async with ctx.stream() as out:
        await out.write("x")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("middleware", [hello, fail, stream])
async def test_every_answer_has_it_an_in_chain_stream_too(middleware: Any, method: str) -> None:
    async with Client(app_of(middleware), raise_errors=False) as client:
        response = await client.request(method, "/")
    assert UNTIL_THE_HEAD.fullmatch(response.headers["x-response-time"])


async def test_an_upgraded_request_has_it_on_the_101() -> None:
    async def upgrade(ctx: Context) -> None:
        await ctx.upgrade()

    async with Client(app_of(upgrade)) as client, client.websocket("/") as socket:
        assert UNTIL_THE_HEAD.fullmatch(socket.headers["x-response-time"])


async def test_it_tells_the_time_spent_downstream() -> None:
    spent: list[float] = []

    def busy(ctx: Context) -> None:
        start = time.perf_counter()
        while time.perf_counter() < start + 0.01:
            pass
        spent.append(1000 * (time.perf_counter() - start))
        ctx.body = "x"

    async with Client(app_of(busy, digits=6, header="Took")) as client:
        response = await client.get("/")
    assert float(response.headers["took"].removesuffix("ms")) > spent[0]


async def test_digits_may_be_none() -> None:
    async with Client(app_of(hello, digits=0)) as client:
        response = await client.get("/")
    assert re.fullmatch(r"\d+ms", response.headers["x-response-time"])
