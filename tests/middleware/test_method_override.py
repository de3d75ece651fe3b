"""`method_override()`: another method for clients that can only POST (security: S47)."""

from typing import Any

import pytest

from ohia import Context, Next, Ohia
from ohia.middleware.body import body
from ohia.middleware.method_override import method_override
from ohia.testing import Client, Response

HEADER = "X-HTTP-Method-Override"


async def answer(
    method: str = "POST", url: str = "/", *, request: Any = None, **options: Any
) -> Response:
    app = Ohia(env="test")
    app.use(body(), method_override(**options))

    @app.use
    def show(ctx: Context) -> None:
        ctx.body = ctx.method

    async with Client(app) as client:
        return await client.request(method, url, **(request or {}))


def header(value: str) -> dict[str, Any]:
    return {"headers": {HEADER: value}}


@pytest.mark.parametrize(
    ("request_", "options", "method"),
    [
        ({"form": {"_method": "DELETE"}}, {}, "DELETE"),
        ({"form": {"_method": "put"}}, {}, "PUT"),
        ({"json": {"_method": "patch"}}, {}, "PATCH"),
        ({"json": ["_method"]}, {}, "POST"),
        ({"json": {"_method": ["PUT"]}}, {}, "POST"),
        ({**header("PUT"), "json": {"_method": 1}}, {}, "PUT"),
        (header("Put"), {}, "PUT"),
        ({**header("PUT"), "form": {"_method": "DELETE"}}, {}, "DELETE"),
        ({}, {}, "POST"),
        ({"form": {"_method": ""}}, {}, "POST"),
        ({"form": {"verb": "PUT"}}, {"field": "verb"}, "PUT"),
        ({"form": {"_method": "PUT"}}, {"field": None}, "POST"),
        ({"headers": {"X-Method": "PUT"}}, {"header": "X-Method"}, "PUT"),
        (header("PUT"), {"header": None}, "POST"),
        (header("get"), {"methods": ["get"]}, "GET"),
        ({"query": {"_method": "PUT"}}, {}, "POST"),
        ({"query": {"_method": "PUT"}}, {"query": "_method"}, "PUT"),
    ],
)
async def test_a_post_may_become_another_method(
    request_: Any, options: dict[str, Any], method: str
) -> None:
    assert (await answer(request=request_, **options)).text == method


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
async def test_nothing_else_may(method: str) -> None:
    request = {**header("DELETE"), "query": {"_method": "DELETE"}}
    assert (await answer(method, request=request, query="_method")).text == method


@pytest.mark.parametrize(
    "request_",
    [
        *[
            header(each)
            for each in ("TRACE", "CONNECT", "HEAD", "GET", "POST", "__init__", "x" * 999)
        ],
        {"form": {"_method": "TRACE"}},
    ],
)
async def test_what_is_not_on_the_list_is_400(request_: Any) -> None:
    assert (await answer(request=request_)).status == 400


@pytest.mark.parametrize("method", ["TRACE", "connect", "HEAD"])
def test_what_no_request_may_become_is_refused_at_once(method: str) -> None:
    with pytest.raises(ValueError, match=f"no request becomes {method.upper()}"):
        method_override(methods=["PUT", method])


async def test_it_works_without_body() -> None:
    app = Ohia(env="test")
    app.use(method_override())

    @app.use
    def show(ctx: Context) -> None:
        ctx.body = ctx.method

    async with Client(app) as client:
        assert (await client.post("/", **header("PUT"))).text == "PUT"


async def test_an_upgraded_request_and_an_in_chain_stream_pass() -> None:
    app = Ohia(env="test")
    app.use(method_override())

    @app.use
    async def socket(ctx: Context, next: Next) -> None:
        if ctx.upgradable:
            await (await ctx.upgrade()).send(ctx.method)
        else:
            await next()

    @app.use
    async def stream(ctx: Context) -> None:
        async with ctx.stream() as out:
            await out.write(ctx.method)

    async with Client(app) as client:
        async with client.websocket("/", headers={HEADER: "PUT"}) as connected:
            assert await connected.receive() == "GET"
        assert (await client.post("/", **header("PUT"))).text == "PUT"
