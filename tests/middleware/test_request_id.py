"""A name for each request."""

from typing import Any
from uuid import UUID

import pytest

from ohia import Context, Ohia
from ohia.middleware.request_id import request_id
from ohia.testing import Client, Response


def app_of(*middleware: Any, **options: Any) -> Ohia:
    app: Ohia = Ohia(env="test")
    app.use(request_id(**options), *middleware)
    return app


def show(ctx: Context) -> None:
    ctx.body = ctx.request_id


async def get(app: Ohia, headers: Any = None) -> Response:
    async with Client(app, raise_errors=False) as client:
        return await client.get("/", headers=headers)


async def test_each_request_gets_another_one() -> None:
    app = app_of(show)
    first, second = await get(app), await get(app)
    assert first.text == first.headers["x-request-id"]
    assert UUID(first.text).version == 4
    assert first.text != second.text


@pytest.mark.parametrize("given", ["a", "7f3c-1:2/3=", "x" * 128])
async def test_one_that_the_client_gives_is_kept(given: str) -> None:
    assert (await get(app_of(show), {"X-Request-Id": given})).text == given
    assert (await get(app_of(show, accept=False), {"X-Request-Id": given})).text != given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "<b>", 'a"', "a, b", "a;b", "é"])
async def test_one_that_could_do_harm_is_not_taken(given: str) -> None:
    response = await get(app_of(show, generate=lambda: "own"), {"X-Request-Id": given})
    assert (response.text, response.headers["x-request-id"]) == ("own", "own")


async def test_which_are_taken_can_be_said() -> None:
    app = app_of(show, accept=str.isdigit, header="Request-Id", generate=lambda: "own")
    assert (await get(app, {"Request-Id": "7"})).text == "7"
    assert (await get(app, {"Request-Id": "a"})).text == "own"
    assert (await get(app_of(show, accept=lambda value: True), {"X-Request-Id": "<"})).text != "<"


async def test_without_a_header_it_stays_inside() -> None:
    response = await get(app_of(show, header=None), {"X-Request-Id": "7"})
    assert len(response.text) == 36
    assert "x-request-id" not in response.headers


async def test_it_is_on_errors_too() -> None:
    def fail(ctx: Context) -> None:
        raise ValueError

    app = app_of(fail)
    app.on("error", lambda error: None)
    response = await get(app, {"X-Request-Id": "7"})
    assert (response.status, response.headers["x-request-id"]) == (500, "7")


async def test_it_is_on_the_101_and_on_an_in_chain_stream() -> None:
    async def respond(ctx: Context) -> None:
        if ctx.upgradable:
            await ctx.upgrade()
            return
        async with ctx.stream() as out:
            await out.write(ctx.request_id)

    headers = {"X-Request-Id": "7"}
    async with Client(app_of(respond), headers=headers) as client:
        async with client.websocket("/") as socket:
            assert socket.headers["x-request-id"] == "7"
        response = await client.get("/")
    assert (response.text, response.headers["x-request-id"]) == ("7", "7")


async def test_without_the_middleware_it_is_empty() -> None:
    app: Ohia = Ohia(env="test")
    app.use(lambda ctx: setattr(ctx, "body", [ctx.request_id]))
    assert (await get(app)).json() == [""]


async def later(*_: object) -> str:
    return ""


async def test_async_functions_are_refused_for_nothing_would_await_them() -> None:
    for options in ({"accept": later}, {"generate": later}):
        with pytest.raises(TypeError, match="is a plain function"):
            request_id(**options)  # type: ignore[arg-type]
    app: Ohia = Ohia(env="test")
    app.use(request_id(accept=lambda _: later()))
    async with Client(app, raise_errors=False) as client:
        assert (await client.get("/", headers={"X-Request-Id": "theirs"})).status == 500
