"""`body()`: JSON, texts and forms into `ctx.request.body`, its options and its limits."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ohia import ClientDisconnect, Context, HTTPError, Next, Ohia
from ohia.middleware.body import body
from ohia.middleware.mount import mount
from ohia.testing import Client, Response

Post = Callable[..., Awaitable[tuple[Any, Response]]]
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TEXT = {"Content-Type": "text/plain"}
MIB = 1024 * 1024


def parsed(ctx: Context) -> Any:
    return ctx.request.body


async def pieces(*content: bytes) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece


# --- what is read ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "application/json; charset=utf-8", "application/vnd.api+json"],
)
async def test_json_is_what_it_says(post: Post, media_type: str) -> None:
    value, _ = await post(parsed, content='{"a": [1, "é"]}', headers={"Content-Type": media_type})
    assert value == {"a": [1, "é"]}


async def test_a_form_gives_the_first_value_of_each_name(post: Post) -> None:
    value, _ = await post(parsed, form={"name": "tobi", "tag": ["a b", "é"]})
    assert (dict(value), value.get_all("tag")) == ({"name": "tobi", "tag": "a b"}, ["a b", "é"])


async def test_brackets_nest_on_demand(post: Post) -> None:
    content = "user[name]=tobi&user[tags][]=a&user[tags][]=b"
    value, _ = await post(parsed, content=content, headers=FORM, form_depth=2)
    assert value == {"user": {"name": "tobi", "tags": ["a", "b"]}}


async def test_text_is_read_on_demand(post: Post) -> None:
    latin = {"Content-Type": "text/plain; charset=iso-8859-1"}
    value, _ = await post(parsed, content=b"\xe9", headers=latin, enable_types=["text"])
    assert value == "é"
    value, _ = await post(parsed, content=b"x", headers=TEXT)
    assert value == {}


async def test_xml_is_read_as_text_on_demand(post: Post) -> None:
    xml = {"Content-Type": "text/xml"}
    value, _ = await post(parsed, content="<a/>", headers=xml, enable_types=["xml"])
    assert value == "<a/>"


async def test_the_raw_body_is_kept(post: Post) -> None:
    raw, _ = await post(lambda ctx: ctx.request.raw_body, content="a=1", headers=FORM)
    assert raw == b"a=1"


async def test_a_form_can_be_sent_back_as_json() -> None:
    app = Ohia(env="test", json_spaces=0)
    app.use(body())

    @app.use
    def echo(ctx: Context) -> None:
        ctx.body = ctx.request.body

    async with Client(app) as client:
        assert (await client.post("/", form={"a": ["1", "2"]})).text == '{"a":"1"}'


async def test_the_handler_can_read_it_again(post: Post) -> None:
    async def look(ctx: Context) -> Any:
        return await ctx.request.read(), await ctx.request.json(dict[str, int])

    value, _ = await post(look, json={"a": 1})
    assert value == (b'{"a":1}', {"a": 1})


async def test_what_was_read_upstream_is_parsed() -> None:
    app = Ohia(env="test")

    @app.use
    async def verify(ctx: Context, next: Next) -> None:
        assert await ctx.request.read() == b'{"a":1}'
        await next()

    app.use(body())

    @app.use
    def handler(ctx: Context) -> None:
        ctx.body = str(ctx.request.body["a"])

    async with Client(app) as client:
        assert (await client.post("/", json={"a": 1})).text == "1"


async def test_without_a_body_it_is_an_empty_object(post: Post) -> None:
    value, response = await post(parsed, content=b"", headers=JSON)
    assert (value, response.status) == ({}, 200)


# --- what is left alone ----------------------------------------------------------------------


async def test_another_type_is_not_read(post: Post) -> None:
    async def look(ctx: Context) -> Any:
        return ctx.request.body, ctx.request.raw_body, await ctx.request.read()

    value, _ = await post(look, content=b"png", headers={"Content-Type": "image/png"})
    assert value == ({}, None, b"png")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_another_method_is_not_read(post: Post, method: str) -> None:
    async def look(ctx: Context) -> Any:
        return ctx.request.body, dict(ctx.request.files), await ctx.request.json()

    value, _ = await post(look, method=method, json={"a": 1})
    assert value == (None, {}, {"a": 1})


@pytest.mark.parametrize("methods", [["DELETE"], "DELETE", "post, delete"])
async def test_methods_can_be_chosen(post: Post, methods: Any) -> None:
    value, _ = await post(parsed, method="DELETE", json={"a": 1}, parsed_methods=methods)
    assert value == {"a": 1}


async def test_upstream_can_switch_it_off() -> None:
    app = Ohia(env="test")

    @app.use
    async def off(ctx: Context, next: Next) -> None:
        ctx.disable_body_parser = True
        await next()

    app.use(body())

    @app.use
    async def handler(ctx: Context) -> None:
        assert ctx.request.body is None
        ctx.body = (await ctx.request.form())["a"]

    async with Client(app) as client:
        assert (await client.post("/", form={"a": "1"})).text == "1"


async def test_a_second_one_reads_what_the_first_left() -> None:
    app = Ohia(env="test")
    app.use(body(), body(enable_types=["text"]))

    @app.use
    def handler(ctx: Context) -> None:
        ctx.body = repr(ctx.request.body)

    async with Client(app) as client:
        assert (await client.post("/", content="x", headers=TEXT)).text == "'x'"
        assert (await client.post("/", json={"a": 1})).text == "{'a': 1}"


async def test_a_body_that_upstream_has_set_is_kept() -> None:
    app = Ohia(env="test")

    @app.use
    async def parser(ctx: Context, next: Next) -> None:
        ctx.request.body = "mine"
        await next()

    app.use(body())

    @app.use
    def handler(ctx: Context) -> None:
        ctx.body = ctx.request.body

    async with Client(app) as client:
        assert (await client.post("/", json={"a": 1})).text == "mine"


async def test_an_upgraded_request_passes_and_nothing_of_it_is_read() -> None:
    app = Ohia(env="test")
    app.use(body(parsed_methods=["GET", "POST"]))

    @app.use
    async def echo(ctx: Context) -> None:
        assert ctx.request.body is None
        socket = await ctx.upgrade()
        async for message in socket:
            await socket.send(message)

    headers = {"Content-Type": "application/json"}
    async with Client(app) as client, client.websocket("/", headers=headers) as socket:
        await socket.send("hi")
        assert await socket.receive() == "hi"


async def test_an_in_chain_stream_passes_and_may_use_the_body() -> None:
    app = Ohia(env="test")
    app.use(body())

    @app.use
    async def handler(ctx: Context) -> None:
        async with ctx.stream() as out:
            await out.write(ctx.request.body["a"])

    async with Client(app) as client:
        assert (await client.post("/", json={"a": "x"})).text == "x"


@pytest.mark.parametrize("name", ["body", "files", "form", "parts", "raw_body"])
async def test_without_it_the_error_names_it(name: str) -> None:
    app = Ohia(env="test")

    @app.use
    def handler(ctx: Context) -> None:
        with pytest.raises(AttributeError, match=r"app.use\(body\(\)\)"):
            getattr(ctx.request, name)
        ctx.body = "done"

    async with Client(app) as client:
        assert (await client.get("/")).text == "done"


# --- options ---------------------------------------------------------------------------------


async def test_types_can_be_added(post: Post) -> None:
    types = {"json": ["application/x-javascript"], "text": "text/csv"}
    headers = {"Content-Type": "application/x-javascript"}
    value, _ = await post(parsed, content="[1]", headers=headers, extend_types=types)
    assert value == [1]


async def test_json_can_be_detected(post: Post) -> None:
    value, _ = await post(parsed, content="[1]", headers=TEXT, detect_json=lambda ctx: True)
    assert value == [1]


async def test_scalars_are_read_when_not_strict(post: Post) -> None:
    value, _ = await post(parsed, content="1", headers=JSON, json_strict=False)
    assert value == 1


async def test_an_error_can_be_answered(post: Post) -> None:
    async def on_error(error: HTTPError, ctx: Context) -> None:
        ctx.throw(422, f"body: {error.status}")

    _, response = await post(parsed, content="{", headers=JSON, on_error=on_error)
    assert (response.status, response.text) == (422, "body: 400")


async def test_an_error_that_was_answered_ends_the_chain(post: Post) -> None:
    def on_error(error: HTTPError, ctx: Context) -> None:
        ctx.body = "answered"

    value, response = await post(parsed, content="{", headers=JSON, on_error=on_error)
    assert (value, response.text) == (None, "answered")


def test_what_could_never_work_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a kind of body is one of json, form"):
        body(enable_types=["yaml"])
    with pytest.raises(ValueError, match="'csv'"):
        body(extend_types={"csv": "text/csv"})
    with pytest.raises(NotADirectoryError, match="upload_dir"):
        body(upload_dir=tmp_path / "missing")
    with pytest.raises(TypeError, match=r"^body\(\) got an unexpected .* 'max_feilds'"):
        body(max_feilds=1)  # type: ignore[call-arg]


async def test_what_decides_on_json_is_plain(post: Post) -> None:
    async def detect(_ctx: Context, _hint: str = "") -> bool:
        return False

    with pytest.raises(TypeError, match="detect_json is a plain function, got the async"):
        body(detect_json=detect)
    _, response = await post(parsed, content="1", detect_json=lambda ctx: detect(ctx, "x"))
    assert response.status == 500


def test_it_is_named_in_logs() -> None:
    assert body().__name__ == "body"


# --- what is refused (security: 48 to 54) ----------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b"[NaN]",
        b"[Infinity]",
        b"[1e999]",
        b"[" + b"1" * 1_000_000 + b"]",
        b"[" + b"1" * 5000 + b"]",
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b"{'a': 1}",
        b"[1,]",
        b"[1] x",
        b'{"a": "\xff"}',
        b'"\\ud800"',
        b"  ",
        b"1",
        b'"a"',
        b"null",
    ],
    ids=lambda content: repr(content[:12]),
)
async def test_what_is_no_json_object_or_array_is_400(post: Post, content: bytes) -> None:
    _, response = await post(parsed, content=content, headers=JSON)
    assert response.status == 400


async def test_an_empty_body_that_was_announced_is_no_json(post: Post) -> None:
    _, response = await post(parsed, content=pieces(), headers=JSON)
    assert response.status == 400


async def test_of_duplicate_keys_the_last_counts_as_in_javascript(post: Post) -> None:
    value, _ = await post(parsed, content='{"a": 1, "a": 2}', headers=JSON)
    assert value == {"a": 2}


@pytest.mark.parametrize("charset", ["utf-16", "iso-8859-1", "punycode", "no-such"])
@pytest.mark.parametrize("media_type", ["application/json", FORM["Content-Type"]])
async def test_another_charset_is_415(post: Post, media_type: str, charset: str) -> None:
    headers = {"Content-Type": f"{media_type}; charset={charset}"}
    _, response = await post(parsed, content=b"{}", headers=headers)
    assert response.status == 415


async def test_an_unknown_charset_of_text_is_415(post: Post) -> None:
    headers = {"Content-Type": "text/plain; charset=punycode"}
    _, response = await post(parsed, content=b"x", headers=headers, enable_types=["text"])
    assert response.status == 415


@pytest.mark.parametrize("content", ['{"__proto__": 1}', '{"__class__": {"__init__": 1}}'])
async def test_names_that_mean_something_elsewhere_are_plain_data(post: Post, content: str) -> None:
    value, _ = await post(parsed, content=content, headers=JSON)
    assert type(value) is dict
    assert next(iter(value)).startswith("__")


class Source:
    """A body without a declared length that counts how much of it was taken."""

    def __init__(self, piece: bytes, count: int) -> None:
        self.piece = piece
        self.count = count
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.count):
            self.taken += len(self.piece)
            yield self.piece


@pytest.mark.parametrize(
    ("headers", "limit"),
    [(JSON, MIB), (FORM, 56 * 1024), (TEXT, MIB), ({"Content-Type": "text/xml"}, MIB)],
)
async def test_reading_stops_at_the_limit(post: Post, headers: dict[str, str], limit: int) -> None:
    source = Source(b"x" * 16 * 1024, 1000)
    kinds = ["json", "form", "text", "xml"]
    value, response = await post(parsed, content=source, headers=headers, enable_types=kinds)
    assert (value, response.status) == (None, 413)
    assert source.taken <= limit + 3 * len(source.piece)


async def test_a_length_that_is_too_large_is_refused_unread(post: Post) -> None:
    source = Source(b"x", 1)
    headers = {**JSON, "Content-Length": f"{MIB + 1}", "Transfer-Encoding": None}
    _, response = await post(parsed, content=source, headers=headers)
    assert (response.status, source.taken) == (413, 0)


@pytest.mark.parametrize(
    ("option", "headers"),
    [
        ("json_limit", JSON),
        ("text_limit", TEXT),
        ("xml_limit", {"Content-Type": "text/xml"}),
        ("form_limit", FORM),
    ],
)
async def test_each_kind_has_a_limit_of_its_own(
    post: Post, option: str, headers: dict[str, str]
) -> None:
    kinds = ["json", "form", "text", "xml"]
    options = {option: 10, "enable_types": kinds, "headers": headers}
    assert (await post(parsed, content=b"[12345678]", **options))[1].status == 200
    assert (await post(parsed, content=b"[123456789]", **options))[1].status == 413


async def test_a_limit_may_be_above_that_of_the_application(post: Post) -> None:
    content = b'["' + b"x" * 2 * MIB + b'"]'
    value, _ = await post(parsed, content=content, headers=JSON, json_limit=3 * MIB)
    assert len(value[0]) == 2 * MIB


async def test_none_is_the_limit_of_the_application(post: Post) -> None:
    _, response = await post(parsed, content=b"x" * (MIB + 1), headers=FORM, form_limit=None)
    assert response.status == 413


async def test_ten_thousand_small_pieces_cost_as_many_steps(post: Post) -> None:
    source = Source(b" ", 10_000)
    _, response = await post(parsed, content=source, headers=JSON)
    assert (response.status, source.taken) == (400, 10_000)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ("a&" * 1000 + "a", {}),
        ("&" * 1000, {}),
        ("a=1&b=2&c=3", {"max_fields": 2}),
        ("a=" + "x" * 56 * 1024, {}),
    ],
)
async def test_a_form_with_too_much_is_413(
    post: Post, content: str, options: dict[str, Any]
) -> None:
    _, response = await post(parsed, content=content, headers=FORM, **options)
    assert response.status == 413


async def test_a_million_fields_are_never_split(post: Post) -> None:
    source = Source(b"a&" * 8192, 125)
    _, response = await post(parsed, content=source, headers=FORM)
    assert response.status == 413
    assert source.taken < 128 * 1024


async def test_a_client_that_goes_is_no_error_of_ours() -> None:
    caught: list[BaseException] = []
    errors: list[Any] = []
    app = Ohia(env="test")
    app.on("error", errors.append)

    @app.use
    async def look(ctx: Context, next: Next) -> None:
        try:
            await next()
        except ClientDisconnect as error:
            caught.append(error)
            raise

    app.use(body())

    async def cut() -> AsyncIterator[bytes]:
        yield b"["
        await asyncio.sleep(0)
        raise ConnectionResetError

    async with Client(app) as client:
        with pytest.raises(ConnectionError):
            await client.post("/", content=cut(), headers=JSON)
    assert (len(caught), errors) == (1, [])


# --- libraries that are not installed --------------------------------------------------------


def test_a_missing_library_is_named_at_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "multipart", None)
    with pytest.raises(ModuleNotFoundError, match=r'body\(\) needs multipart: .*"ohia\[forms\]"'):
        body()
    assert callable(body(enable_types=["json", "form"]))


async def test_a_coding_without_its_library_is_415(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "brotli", None)
    _, response = await post(parsed, content=b"x", headers={**JSON, "Content-Encoding": "br"})
    assert response.status == 415
    assert response.headers["accept-encoding"] == "gzip, deflate, zstd"


async def test_a_request_that_is_over_says_so() -> None:
    kept: list[Any] = []
    app = Ohia(env="test")
    app.use(body())
    app.use(lambda ctx: kept.append(ctx.request))
    async with Client(app) as client:
        await client.post("/")
    with pytest.raises(RuntimeError, match="this request is over"):
        await kept[0].form()


async def test_a_mounted_application_has_what_was_read_outside() -> None:
    inner = Ohia(env="test")
    inner.use(body())

    @inner.use
    def handler(ctx: Context) -> None:
        ctx.request.note = "set inside"
        ctx.body = ctx.request.body["a"]

    app = Ohia(env="test")
    app.use(body())

    @app.use
    async def outside(ctx: Context, next: Next) -> None:
        await next()
        assert ctx.request.note == "set inside"

    app.use(mount("/inner", inner))
    content = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    async with Client(app) as client:
        assert (await client.post("/inner", content=content, headers=headers)).text == "1"
        assert (await client.post("/inner", json={"a": "2"})).text == "2"
