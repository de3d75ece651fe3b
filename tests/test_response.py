"""The side of a context that is written."""

import io
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ohia import Context, HTTPError, Ohia
from ohia.testing import Client, Response

JSON = "application/json; charset=utf-8"


async def answer(middleware: Any, path: str = "/", method: str = "GET", **headers: str) -> Response:
    app = Ohia(env="test")
    app.use(middleware)
    async with Client(app, raise_errors=False) as client:
        return await client.request(method, path, headers=headers)


async def seen(change: Any, **headers: str) -> Context:
    """Return the ctx that `change(ctx)` worked on, still as it left it."""
    kept: list[Context] = []

    def keep(ctx: Context) -> None:
        kept.append(ctx)
        change(ctx)

    await answer(keep, **headers)
    return kept[0]


async def test_without_a_body_the_status_is_404_as_text() -> None:
    response = await answer(lambda ctx: None)
    assert (response.status, response.text) == (404, "Not Found")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("body", "type", "sent"),
    [
        ("tobi", "text/plain; charset=utf-8", b"tobi"),
        ("", "text/plain; charset=utf-8", b""),
        (" \n<p>", "text/html; charset=utf-8", b" \n<p>"),
        ("a<p>", "text/plain; charset=utf-8", b"a<p>"),
        ("<?xml?>", "text/html; charset=utf-8", b"<?xml?>"),  # Koa: by design
        ("é", "text/plain; charset=utf-8", "é".encode()),
        (b"ab", "application/octet-stream", b"ab"),
        (bytearray(b"ab"), "application/octet-stream", b"ab"),
        (memoryview(b"ab"), "application/octet-stream", b"ab"),
        ({"a": 1}, JSON, b'{\n  "a": 1\n}'),
        ([], JSON, b"[]"),
        (0, JSON, b"0"),
        (False, JSON, b"false"),
        (1.5, JSON, b"1.5"),
        (float("nan"), JSON, b"null"),
        ({3}, JSON, b"[\n  3\n]"),
        (datetime(2026, 1, 2, tzinfo=UTC), JSON, b'"2026-01-02T00:00:00Z"'),
        (io.BytesIO(b"file"), "application/octet-stream", b"file"),
        (io.StringIO("text"), "application/octet-stream", b"text"),
        (iter(["a", b"b", bytearray(b"c")]), "application/octet-stream", b"abc"),
    ],
    ids=repr,
)  # fmt: skip
async def test_each_kind_of_body(body: Any, type: str, sent: bytes) -> None:
    def middleware(ctx: Context) -> None:
        ctx.body = body

    response = await answer(middleware)
    assert (response.status, response.headers["content-type"]) == (200, type)
    assert response.content == sent


async def test_an_async_generator_is_streamed_and_closed_once() -> None:
    closed = 0

    async def pieces() -> AsyncIterator[str | bytes]:
        nonlocal closed
        try:
            yield "a"
            yield b"b"
        finally:
            closed += 1

    async def middleware(ctx: Context) -> None:
        ctx.body = pieces()

    response = await answer(middleware)
    assert (response.content, closed) == (b"ab", 1)
    assert "content-length" not in response.headers


async def test_a_path_is_sent_as_a_file_with_type_length_and_date(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("<p>hi")

    def middleware(ctx: Context) -> None:
        ctx.body = file
        assert ctx.length == 5
        assert ctx.last_modified is not None

    response = await answer(middleware)
    assert response.content == b"<p>hi"
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-length"] == "5"
    assert "last-modified" in response.headers


@pytest.mark.parametrize("name", ["missing", "."])
async def test_a_path_that_is_no_file_is_told_at_the_assignment(tmp_path: Path, name: str) -> None:
    def middleware(ctx: Context) -> None:
        with pytest.raises(OSError, match=name if name != "." else "not a regular file"):
            ctx.body = tmp_path / name

    assert (await answer(middleware)).status == 404


async def coroutine() -> None: ...


def generator() -> Iterator[str]:
    yield ""


async def async_generator() -> AsyncIterator[str]:
    yield ""


@pytest.mark.parametrize(
    ("body", "advice"),
    [
        (coroutine, "call it|function"),
        (generator, "call it"),
        (async_generator, "call it"),
        (len, "call it"),
        (dict, "object"),
        (io, "module"),
    ],
)
async def test_what_cannot_be_a_body_is_refused_with_advice(body: Any, advice: str) -> None:
    def middleware(ctx: Context) -> None:
        with pytest.raises(TypeError, match=advice):
            ctx.body = body

    assert (await answer(middleware)).status == 404


async def test_a_coroutine_as_body_is_told_to_be_awaited() -> None:
    def middleware(ctx: Context) -> None:
        work = coroutine()
        with pytest.raises(TypeError, match="await it"):
            ctx.body = work
        work.close()

    assert (await answer(middleware)).status == 404


async def test_a_body_that_fails_when_sent_is_a_500() -> None:
    def middleware(ctx: Context) -> None:
        ctx.body = {"a": object()}

    assert (await answer(middleware)).status == 500


async def test_a_stream_that_fails_at_once_is_a_clean_500() -> None:
    async def pieces() -> AsyncIterator[str]:
        raise ValueError("no")
        yield ""

    def middleware(ctx: Context) -> None:
        ctx.set("X-Lost", "1")
        ctx.body = pieces()

    response = await answer(middleware)
    assert (response.status, response.text) == (500, "Internal Server Error")
    assert "x-lost" not in response.headers


async def test_a_stream_of_other_things_is_a_500() -> None:
    def middleware(ctx: Context) -> None:
        ctx.body = iter([{"a": 1}])

    assert (await answer(middleware)).status == 500


async def test_a_replaced_stream_is_closed_all_the_same() -> None:
    file = io.BytesIO(b"first")

    def middleware(ctx: Context) -> None:
        ctx.body = file
        ctx.body = "second"

    response = await answer(middleware)
    assert (response.text, file.closed) == ("second", True)
    assert response.headers["content-length"] == "6"


async def test_a_stream_may_wrap_the_one_before() -> None:
    async def middleware(ctx: Context) -> None:
        ctx.body = io.BytesIO(b"abc")
        inner = ctx.body

        async def upper() -> AsyncIterator[bytes]:
            yield inner.read().upper()

        ctx.body = upper()

    assert (await answer(middleware)).content == b"ABC"


async def test_None_is_an_empty_answer() -> None:  # noqa: N802
    def middleware(ctx: Context) -> None:
        ctx.body = "x"
        ctx.body = None

    response = await answer(middleware)
    assert (response.status, response.content) == (204, b"")
    assert "content-type" not in response.headers


async def test_an_explicit_None_stays_empty_when_the_status_changes() -> None:  # noqa: N802
    def middleware(ctx: Context) -> None:
        ctx.body = None
        ctx.status = 404

    response = await answer(middleware)
    assert (response.status, response.content) == (404, b"")
    assert response.headers["content-length"] == "0"


async def test_a_deleted_body_is_as_if_never_set() -> None:
    def middleware(ctx: Context) -> None:
        ctx.body = "x"
        del ctx.body
        ctx.status = 404

    assert (await answer(middleware)).text == "Not Found"


async def test_None_as_json_is_null_with_200() -> None:  # noqa: N802
    def middleware(ctx: Context) -> None:
        ctx.type = "json"
        ctx.body = None

    # Koa compares with the type without its charset, and has no status then (a hole).
    response = await answer(middleware)
    assert (response.status, response.text) == (200, "null")


@pytest.mark.parametrize("status", [204, 205, 304])
async def test_an_empty_status_drops_the_body_and_its_headers(status: int) -> None:
    def middleware(ctx: Context) -> None:
        ctx.body = "x"
        ctx.status = status

    response = await answer(middleware)
    assert (response.status, response.content) == (status, b"")
    assert {"content-type", "content-length"}.isdisjoint(response.headers)


@pytest.mark.parametrize("status", ["404", None, 4.0, True])
async def test_a_status_is_an_int(status: Any) -> None:
    def middleware(ctx: Context) -> None:
        with pytest.raises(TypeError, match="status code must be a number"):
            ctx.status = status

    await answer(middleware)


@pytest.mark.parametrize("status", [99, 1000, -1])
async def test_a_status_has_three_digits(status: int) -> None:
    def middleware(ctx: Context) -> None:
        with pytest.raises(ValueError, match="invalid status code"):
            ctx.status = status

    await answer(middleware)


async def test_a_status_without_a_name_is_its_own_text() -> None:
    def middleware(ctx: Context) -> None:
        ctx.status = 700

    response = await answer(middleware)
    assert (response.status, response.text) == (700, "700")


async def test_a_message_is_the_default_body() -> None:
    def middleware(ctx: Context) -> None:
        ctx.status = 400
        ctx.message = "Nope"

    assert (await answer(middleware)).text == "Nope"


async def test_an_empty_message_is_the_phrase_and_a_first_body_resets_it() -> None:
    def middleware(ctx: Context) -> None:
        ctx.message = ""
        assert ctx.message == "Not Found"
        ctx.message = "Custom"
        ctx.body = "x"  # sets status 200, and with it the phrase
        assert ctx.message == "OK"

    assert (await answer(middleware)).message == "OK"


async def test_HEAD_has_the_headers_and_no_body() -> None:  # noqa: N802
    def middleware(ctx: Context) -> None:
        ctx.body = {"a": 1}

    response = await answer(middleware, method="HEAD")
    assert (response.status, response.content) == (200, b"")
    assert response.headers["content-length"] == "12"


async def test_HEAD_of_a_stream_never_starts_it_but_closes_it() -> None:  # noqa: N802
    file = io.BytesIO(b"x")

    def middleware(ctx: Context) -> None:
        ctx.body = file

    response = await answer(middleware, method="HEAD")
    assert (response.status, file.closed) == (200, True)


@pytest.mark.parametrize(
    "set_length", [lambda ctx: setattr(ctx, "length", 2), lambda ctx: setattr(ctx, "length", 9)]
)
async def test_a_length_that_is_not_the_bodys_is_a_500(set_length: Any) -> None:
    def middleware(ctx: Context) -> None:
        ctx.body = "four"
        set_length(ctx)

    assert (await answer(middleware)).status == 500


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("/x", "/x"),
        ("http://google.com\\@apple.com", "http://google.com/@apple.com"),  # S4
        ("/\\evil.com", "/%5Cevil.com"),  # S5
        ("/a b", "/a%20b"),
        ("/%zz", "/%25zz"),
    ],
)
async def test_redirect(url: str, location: str) -> None:
    response = await answer(lambda ctx: ctx.redirect(url))
    assert (response.status, response.headers["location"]) == (302, location)


async def test_redirect_never_makes_a_link_and_escapes_html() -> None:  # S3
    response = await answer(
        lambda ctx: ctx.redirect('"><script>alert(1)</script>'), accept="text/html"
    )
    assert "<" not in response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"


async def test_redirect_keeps_a_status_that_redirects() -> None:
    def middleware(ctx: Context) -> None:
        ctx.status = 301
        ctx.redirect("/x")

    assert (await answer(middleware)).status == 301


@pytest.mark.parametrize("url", ["//evil.com", "/\\evil.com", "http://evil.com", "javascript:1"])
async def test_a_local_redirect_refuses_to_leave(url: str) -> None:
    response = await answer(lambda ctx: ctx.redirect(url, local=True))
    assert response.status == 400


@pytest.mark.parametrize(
    ("referer", "location"),
    [
        ("http://testserver/back", "http://testserver/back"),
        ("https://evil.com/x", "/alt"),  # S6
        ("//evil.com/login/", "/alt"),  # S7
        ("\\\\evil.com", "/alt"),
        ("/\\evil.com", "/alt"),
        ("javascript:alert(1)", "/alt"),
        ("http://[", "/alt"),  # S8
        ("http://testserver:81/", "/alt"),
        ("", "/alt"),
    ],
)
async def test_back_stays_on_this_host(referer: str, location: str) -> None:
    response = await answer(lambda ctx: ctx.back("/alt"), host="testserver", referer=referer)
    assert response.headers["location"] == location


async def test_back_without_an_alternative_goes_home() -> None:
    assert (await answer(lambda ctx: ctx.back(""))).headers["location"] == "/"


async def test_last_modified_takes_an_aware_datetime() -> None:
    def middleware(ctx: Context) -> None:
        ctx.last_modified = datetime(2026, 1, 2, tzinfo=UTC)
        assert ctx.last_modified == datetime(2026, 1, 2, tzinfo=UTC)
        with pytest.raises(TypeError, match="aware datetime"):
            ctx.last_modified = "2026-01-02"  # type: ignore[assignment]
        with pytest.raises(ValueError, match="time zone"):
            ctx.last_modified = datetime(2026, 1, 2)  # noqa: DTZ001

    response = await answer(middleware)
    assert response.headers["last-modified"] == "Fri, 02 Jan 2026 00:00:00 GMT"


async def test_attachment_leaves_a_type_that_was_set() -> None:  # S9
    def middleware(ctx: Context) -> None:
        ctx.body = b"x"
        ctx.attachment("x.html")

    response = await answer(middleware)
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-disposition"] == 'attachment; filename="x.html"'


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\0b", "\u20ac"])
async def test_a_header_that_would_split_is_refused(value: str) -> None:  # S16
    def middleware(ctx: Context) -> None:
        with pytest.raises(ValueError, match="invalid character"):
            ctx.set("X-A", value)
        with pytest.raises(ValueError, match="invalid character"):
            ctx.append("X-A", value)
        with pytest.raises(ValueError, match="invalid character"):
            ctx.message = value

    assert (await answer(middleware)).status == 404


async def test_set_takes_numbers_lists_and_mappings() -> None:
    def middleware(ctx: Context) -> None:
        ctx.set("X-N", 5)
        ctx.set({"X-L": ["a", "b"], "X-M": "m"})
        ctx.append("X-M", "n")
        ctx.append("X-Gone", "1")
        ctx.remove("x-gone")
        assert ctx.has("x-n")
        assert not ctx.has("x-gone")
        with pytest.raises(TypeError, match="got None"):
            ctx.set("X-A", None)

    headers = (await answer(middleware)).headers
    assert (headers["x-n"], headers["x-l"], headers["x-m"]) == ("5", "a, b", "m, n")


async def test_the_views_are_the_same_object_and_point_back() -> None:
    def middleware(ctx: Context) -> None:
        assert ctx.response is ctx.response
        assert ctx.response.ctx is ctx
        assert ctx.response.request is ctx.request
        assert ctx.request.response is ctx.response
        ctx.response.body = "by the view"
        assert ctx.body == "by the view"
        assert ctx.response.get("content-length") == "11"
        assert ctx.response.is_("text", "html") == "text"
        assert ctx.response.is_("html") is False
        assert ctx.response.headers["Content-Type"] == "text/plain; charset=utf-8"

    assert (await answer(middleware)).text == "by the view"


async def test_writes_after_the_head_left_are_ignored_with_one_warning() -> None:
    async def middleware(ctx: Context) -> None:
        async with ctx.stream() as out:
            await out.write("x")
        with pytest.warns(RuntimeWarning, match=r"X-A was set after.*before_send"):
            ctx.set("X-A", "1")
        ctx.status = 500
        ctx.body = "y"
        ctx.cookies.set("a", "b")

    response = await answer(middleware)
    assert (response.status, response.content) == (200, b"x")
    assert {"x-a", "set-cookie"}.isdisjoint(response.headers)


async def test_a_filter_works_for_whole_bodies_and_for_streams() -> None:
    async def upper(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            yield piece.upper()

    def whole(ctx: Context) -> None:
        ctx.response.filter(upper)
        ctx.body = "whole"

    def streamed(ctx: Context) -> None:
        ctx.response.filter(upper)
        ctx.body = iter(["a", "b"])

    assert (await answer(whole)).content == b"WHOLE"
    assert (await answer(streamed)).content == b"AB"


async def test_to_dict_and_repr_hide_cookies() -> None:  # S21
    def middleware(ctx: Context) -> None:
        ctx.cookies.set("session", "secret-value")
        assert "secret-value" not in repr(ctx.to_dict())
        assert "secret-value" not in f"{ctx!r} {ctx.response!r} {ctx.request!r}"

    assert (await answer(middleware, cookie="session=secret-value")).status == 404


async def test_a_view_outlives_its_context_with_a_clear_error() -> None:
    views: list[Any] = []
    await answer(lambda ctx: views.append(ctx.response))
    with pytest.raises(RuntimeError, match="context is gone"):
        _ = views[0].status


def test_an_http_error_has_a_status_of_an_error() -> None:
    with pytest.raises(ValueError, match="400 to 599"):
        HTTPError(200)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("é", "é".encode()),
        (b"a", b"a"),
        (bytearray(b"a"), b"a"),
        ({"a": [1]}, b'{\n  "a": [\n    1\n  ]\n}'),
        (0, b"0"),
        (None, None),
        (iter([b"a"]), None),
        (Path("README.md"), None),
    ],
)
async def test_a_body_can_be_had_as_it_will_be_sent(body: Any, expected: bytes | None) -> None:
    async def middleware(ctx: Context) -> None:
        assert ctx.to_bytes() is None
        ctx.body = body
        assert ctx.to_bytes() == ctx.response.to_bytes() == expected

    response = await answer(middleware)
    assert expected is None or response.content == expected
