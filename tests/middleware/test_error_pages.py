import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ohia import Context, HTTPError, Next, Ohia
from ohia.middleware.error_pages import Problem, error_pages
from ohia.testing import Client, UpgradeRefused
from ohia.testing.client import Response

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
HTML = "text/html; charset=utf-8"
PROBLEM = "application/problem+json"
TEXT = "text/plain; charset=utf-8"


def app_of(*middleware: Any, env: str = "test") -> Ohia:
    app = Ohia(env=env, output_errors=False)
    app.use(*middleware)
    return app


def raising(error: BaseException) -> Any:
    async def handler(ctx: Context) -> None:
        raise error

    return handler


async def ask(
    *middleware: Any,
    accept: str | None = None,
    method: str = "GET",
    host: str = "testserver",
    env: str = "test",
    client: tuple[str, int] | None = ("127.0.0.1", 50000),
    **headers: str,
) -> Response:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if accept is not None:
        fields["Accept"] = accept
    app = app_of(*middleware, env=env)
    url = f"http://{host}"
    async with Client(app, raise_errors=False, base_url=url, client=client) as browser:
        return await browser.request(method, "/<script>", headers=fields)


@pytest.mark.parametrize(
    ("accept", "type"),
    [
        (BROWSER, HTML),
        ("application/json", PROBLEM),
        (PROBLEM, PROBLEM),
        ("text/plain", TEXT),
        ("text/html;q=0.1, application/json;q=0.2", PROBLEM),
        ("*/*", TEXT),
        (None, TEXT),
        ("image/png", TEXT),
    ],
)
async def test_an_error_comes_in_the_form_that_the_client_accepts(
    accept: str | None, type: str
) -> None:
    response = await ask(error_pages(), raising(HTTPError(403)), accept=accept)
    assert response.status == 403
    assert response.headers["content-type"] == type
    assert response.headers["vary"] == "Accept"
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("accept", ["*/*", None, "image/png"])
async def test_the_default_is_for_clients_that_do_not_choose(accept: str | None) -> None:
    response = await ask(error_pages(default="json"), accept=accept)
    assert response.json() == {"type": "about:blank", "title": "Not Found", "status": 404}


async def test_an_exposed_message_is_the_detail_and_escaped_where_that_matters() -> None:
    chain = error_pages(), raising(HTTPError(400, "No <script> here"))
    page = await ask(*chain, accept=BROWSER)
    assert "<h1>400 Bad Request</h1>\n<p>No &lt;script&gt; here</p>" in page.text
    assert (await ask(*chain)).text == "No <script> here"
    assert (await ask(*chain, accept=PROBLEM)).json() == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "No <script> here",
    }


@pytest.mark.parametrize("accept", [BROWSER, PROBLEM, TEXT])
@pytest.mark.parametrize(
    "error", [HTTPError(500, "sql"), LookupError("sql"), HTTPError(503, "sql")]
)
async def test_what_is_not_exposed_never_shows(error: Exception, accept: str) -> None:
    response = await ask(error_pages(), raising(error), accept=accept)
    assert response.status == getattr(error, "status", 500)
    shown = response.text + repr(list(response.headers.lines()))
    assert not any(word in shown for word in ("sql", "Lookup", "Traceback", __file__))


@pytest.mark.parametrize("accept", [BROWSER, PROBLEM, TEXT])
async def test_the_empty_404_gets_a_page_that_reflects_nothing(accept: str) -> None:
    response = await ask(error_pages(), accept=accept)
    assert response.status == 404
    assert "Not Found" in response.text
    assert "script" not in response.text


async def test_an_answer_with_only_a_status_and_a_message_gets_a_page() -> None:
    async def handler(ctx: Context) -> None:
        ctx.status = 409
        ctx.message = "Try <later>"
        ctx.set("X-Kept", "1")

    response = await ask(error_pages(), handler, accept=BROWSER)
    assert (response.status, response.message) == (409, "Try <later>")
    assert "<h1>409 Try &lt;later&gt;</h1>" in response.text
    assert response.headers["x-kept"] == "1"


async def test_an_answer_with_a_body_is_left_alone() -> None:
    async def handler(ctx: Context) -> None:
        ctx.status = 404
        ctx.body = "gone fishing"

    response = await ask(error_pages(), handler, accept=BROWSER)
    assert (response.text, "vary" in response.headers) == ("gone fishing", False)


async def test_head_has_the_headers_of_get() -> None:
    head = await ask(error_pages(), method="HEAD", accept=BROWSER)
    get = await ask(error_pages(), accept=BROWSER)
    assert (head.status, head.content) == (404, b"")
    assert list(head.headers.lines()) == list(get.headers.lines())


async def test_headers_of_the_error_and_sticky_ones_are_kept_and_no_others() -> None:
    async def upstream(ctx: Context, next: Next) -> None:
        ctx.set("X-Request-Id", "7", sticky=True)
        ctx.vary("Origin", sticky=True)
        ctx.set("ETag", '"1"')
        await next()

    error = HTTPError(429, headers={"Retry-After": "3"})
    headers = (await ask(upstream, error_pages(), raising(error))).headers
    assert (headers["x-request-id"], headers["retry-after"]) == ("7", "3")
    assert headers["vary"] == "Origin, Accept"
    assert "etag" not in headers


async def test_upstream_sees_the_error_and_the_event_is_emitted_once() -> None:
    seen: list[object] = []

    async def upstream(ctx: Context, next: Next) -> None:
        try:
            await next()
        except KeyError as error:
            seen.append(error)
            raise

    error = KeyError("secret")
    app = app_of(upstream, error_pages(), raising(error))
    app.on("error", seen.append)
    async with Client(app, raise_errors=False) as client:
        await client.get("/")
    assert seen == [error, error]


async def test_what_fails_behind_the_chain_gets_a_page_too() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        raise LookupError("secret")
        yield b""

    async def handler(ctx: Context) -> None:
        ctx.body = pieces()

    response = await ask(error_pages(), handler, accept=BROWSER)
    assert response.status == 500
    assert "<h1>500 Internal Server Error</h1>" in response.text


async def test_a_refused_handshake_gets_a_page() -> None:
    app = app_of(error_pages(), raising(HTTPError(401)))
    async with Client(app) as client:
        with pytest.raises(UpgradeRefused) as refused:
            await client.websocket("/", headers={"Accept": PROBLEM}).__aenter__()
    assert refused.value.response.json()["title"] == "Unauthorized"


async def test_a_handshake_that_nobody_took_gets_a_page() -> None:
    async with Client(app_of(error_pages())) as client:
        with pytest.raises(UpgradeRefused) as refused:
            await client.websocket("/", headers={"Accept": BROWSER}).__aenter__()
    assert "404 Not Found" in refused.value.response.text


async def test_an_upgraded_request_passes_and_its_error_closes_it() -> None:
    async def handler(ctx: Context) -> None:
        await ctx.upgrade()
        raise HTTPError(403, "Not you")

    app = app_of(error_pages(), handler)
    async with Client(app) as client, client.websocket("/") as socket:
        assert "x-content-type-options" not in socket.headers
        await socket.wait_closed()
    assert (socket.close_code, socket.close_reason) == (1008, "Not you")


async def test_an_in_chain_stream_passes_and_after_the_first_byte_nothing_is_added() -> None:
    async def handler(ctx: Context) -> None:
        ctx.status = 404
        async with ctx.stream() as out:
            await out.write("piece")
        raise LookupError

    app = app_of(error_pages(), handler)
    async with Client(app, raise_errors=False) as client:
        response = await client.get("/")
    assert (response.status, response.text) == (404, "piece")
    assert "x-content-type-options" not in response.headers


async def test_pages_by_status_and_by_class(tmp_path: Path) -> None:
    def teapot(problem: Problem, ctx: Context) -> str:
        return f"<p>{ctx.method} {problem.status} {type(problem.error).__name__}"

    async def ours(problem: Problem, ctx: Context) -> None:
        return None

    file = tmp_path / "5xx.html"
    file.write_text("<style>p { color: red }</style><p>$status $title $$1 $unknown")
    pages = error_pages(
        pages={418: teapot, "4xx": "<h1>$title</h1>$detail", "5xx": file, 409: ours}
    )

    async def page_of(status: int) -> str:
        return (await ask(pages, raising(HTTPError(status, "<i>")), accept=BROWSER)).text

    assert await page_of(418) == "<p>GET 418 HTTPError"
    assert await page_of(400) == "<h1>Bad Request</h1>&lt;i&gt;"
    assert await page_of(503) == (
        "<style>p { color: red }</style><p>503 Service Unavailable $1 $unknown"
    )
    assert "<h1>409 Conflict</h1>" in await page_of(409)


async def test_a_page_that_fails_leaves_the_plain_answer() -> None:
    def broken(problem: Problem, ctx: Context) -> str:
        raise LookupError("secret")

    pages = error_pages(pages={418: broken})
    response = await ask(pages, raising(HTTPError(418)), accept=BROWSER)
    assert (response.status, response.text) == (500, "Internal Server Error")


async def test_the_members_of_a_problem_come_from_its_error_if_it_is_exposed() -> None:
    members = {"type": "https://example.com/credit", "balance": 30}
    exposed = raising(HTTPError(402, "No credit", problem=members))
    assert (await ask(error_pages(), exposed, accept=PROBLEM)).json() == {
        "type": "https://example.com/credit",
        "title": "Payment Required",
        "status": 402,
        "detail": "No credit",
        "balance": 30,
    }
    hidden = raising(HTTPError(500, problem=members))
    assert "balance" not in (await ask(error_pages(), hidden, accept=PROBLEM)).json()


async def test_json_may_be_anybody_s_own() -> None:
    def own(problem: Problem, ctx: Context) -> object:
        return {"error": problem.status}

    response = await ask(error_pages(json=own), accept="application/json")
    assert json.loads(response.content) == {"error": 404}


async def test_a_policy_of_upstream_s_is_not_replaced() -> None:
    async def upstream(ctx: Context, next: Next) -> None:
        ctx.set("Content-Security-Policy", "default-src 'self'", sticky=True)
        await next()

    chain = error_pages(), raising(HTTPError(403))
    ours = await ask(*chain, accept=BROWSER)
    theirs = await ask(upstream, *chain, accept=BROWSER)
    assert ours.headers["content-security-policy"] == "default-src 'none'"
    assert theirs.headers["content-security-policy"] == "default-src 'self'"


def fault(ctx: Context) -> None:
    raise LookupError("<fault>")


@pytest.mark.parametrize("host", ["localhost", "localhost:3000", "127.0.0.1:3000", "[::1]"])
@pytest.mark.parametrize(
    ("accept", "shown"),
    [
        (BROWSER, "LookupError: &lt;fault&gt;"),
        (PROBLEM, "LookupError: <fault>"),
        (None, "in fault"),
    ],
)
async def test_debug_shows_the_traceback_to_this_machine(
    host: str, accept: str | None, shown: str
) -> None:
    chain = error_pages(debug=True), fault
    response = await ask(*chain, accept=accept, host=host, env="development")
    assert response.status == 500
    assert shown in response.text


async def test_debug_shows_no_traceback_of_what_is_an_answer() -> None:
    chain = error_pages(debug=True), raising(HTTPError(400, "No"))
    assert (await ask(*chain, host="localhost", env="development")).text == "No"


@pytest.mark.parametrize(
    "circumstances",
    [
        {"env": "production"},
        {"env": "test"},
        {"host": "example.com"},
        {"host": "localhost.example.com"},
        {"Host": "evil.com:x@localhost"},
        {"Host": "localhost\\@evil.com"},
        {"client": ("192.0.2.1", 50000)},
        {"client": None},
        {"X_Forwarded_For": "192.0.2.1"},
        {"Forwarded": "for=192.0.2.1"},
        {"Via": "1.1 proxy"},
    ],
)
async def test_debug_shows_nothing_to_anybody_else(circumstances: dict[str, Any]) -> None:
    options = {"host": "localhost", "env": "development", **circumstances}
    response = await ask(error_pages(debug=True), fault, **options)
    assert (response.status, response.text) == (500, "Internal Server Error")


async def test_without_debug_nothing_is_shown_to_anybody() -> None:
    response = await ask(error_pages(), fault, host="localhost", env="development")
    assert (response.status, response.text) == (500, "Internal Server Error")


@pytest.mark.parametrize(
    "options", [{"default": "xml"}, {"pages": {"404": "gone"}}, {"pages": {200: "fine"}}]
)
def test_options_that_cannot_be_meant_are_refused(options: Any) -> None:
    with pytest.raises(ValueError, match="got"):
        error_pages(**options)
