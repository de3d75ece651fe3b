"""JSON, indented or compact."""

import io
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ohia import Context, Ohia
from ohia.middleware.pretty_json import pretty_json
from ohia.testing import Client, Response

PRETTY = '{\n  "a": [\n    1\n  ]\n}'
COMPACT = '{"a":[1]}'


async def answer(
    body: Any, *, url: str = "/", type: str | None = None, app: Any = None, **options: Any
) -> Response:
    def respond(ctx: Context) -> None:
        if type is not None:
            ctx.type = type
        ctx.body = body

    app = Ohia(env="test", **(app or {}))
    app.use(pretty_json(**options), respond)
    async with Client(app) as client:
        return await client.get(url)


@pytest.mark.parametrize(
    ("options", "url", "expected"),
    [
        ({}, "/", PRETTY),
        ({"spaces": 4}, "/", PRETTY.replace("  ", "    ")),
        ({"pretty": False}, "/?pretty", COMPACT),
        ({"pretty": False, "param": "pretty"}, "/", COMPACT),
        ({"pretty": False, "param": "pretty"}, "/?pretty", PRETTY),
        ({"pretty": False, "param": "pretty"}, "/?a=1&pretty=no", PRETTY),
        ({"param": "pretty"}, "/", PRETTY),
        ({"spaces": 0}, "/", COMPACT),
    ],
)
async def test_the_options_of_koa_json(options: Any, url: str, expected: str) -> None:
    for json_spaces in (0, 2, 7):
        response = await answer({"a": [1]}, url=url, app={"json_spaces": json_spaces}, **options)
        assert response.text == expected
        assert response.headers["content-type"] == "application/json; charset=utf-8"
        assert response.headers["content-length"] == str(len(expected))


@dataclass
class Book:
    title: str


async def test_whatever_is_json_is_written() -> None:
    assert (await answer(Book("é"))).text == '{\n  "title": "é"\n}'
    odd: Any = {"json_default": lambda value: [value.real, value.imag]}
    assert (await answer({"z": 1j}, app=odd, pretty=False)).text == '{"z":[0.0,1.0]}'
    problem = await answer({"a": [1]}, type="application/problem+json")
    assert problem.text == PRETTY
    assert problem.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("body", ['{"a":1}', b'{"a":1}'])
async def test_text_stays_as_it_is(body: Any) -> None:
    assert (await answer(body, type="json")).text == '{"a":1}'


async def test_files_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a":1}')
    assert (await answer(path)).text == '{"a":1}'
    assert (await answer(io.BytesIO(b'{"a":1}'), type="json")).text == '{"a":1}'


async def test_nothing_stays_nothing() -> None:
    response = await answer(None)
    assert (response.status, response.content) == (204, b"")


async def counted(*items: Any) -> AsyncIterator[Any]:
    for item in items:
        yield item


@pytest.mark.parametrize("source", [lambda *items: iter(items), counted], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("items", "pretty", "expected"),
    [
        (({"a": 1}, [2], None), False, '[{"a":1},[2],null]'),
        (({"a": 1}, 2), True, '[\n  {\n    "a": 1\n  },\n  2\n]'),
        (({"a": "x\ny"},), True, '[\n  {\n    "a": "x\\ny"\n  }\n]'),
        ((), False, "[]"),
        ((), True, "[]"),
        (('{"a":', b"1}"), True, '{"a":1}'),  # it wrote JSON by itself
    ],
)
async def test_an_iterator_of_values_becomes_an_array(
    items: Any, expected: str, source: Any, *, pretty: bool
) -> None:
    response = await answer(source(*items), type="json", pretty=pretty)
    assert response.text == expected
    assert "content-length" not in response.headers


async def test_an_iterator_is_sent_item_by_item_and_closed() -> None:
    closed: list[str] = []

    def numbers() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            closed.append("numbers")

    def respond(ctx: Context) -> None:
        ctx.type = "json"
        ctx.body = numbers()

    app: Ohia = Ohia(env="test")
    app.use(pretty_json(pretty=False), respond)
    async with Client(app) as client:
        async with client.stream("GET", "/") as response:
            assert [await anext(response), await anext(response)] == [b"[0", b",1"]
        assert closed == ["numbers"]


async def test_an_iterator_of_another_type_stays_as_it_is() -> None:
    assert (await answer(counted("a", "b"), type="txt")).text == "ab"


async def test_an_in_chain_stream_and_an_upgraded_request_pass_through_it() -> None:
    async def respond(ctx: Context) -> None:
        if ctx.upgradable:
            socket = await ctx.upgrade()
            await socket.send_json([1])
            return
        ctx.type = "json"
        async with ctx.stream() as out:
            await out.write("[1]")

    app: Ohia = Ohia(env="test")
    app.use(pretty_json(), respond)
    async with Client(app) as client:
        assert (await client.get("/")).text == "[1]"
        async with client.websocket("/") as socket:
            assert await socket.receive() == "[1]"
