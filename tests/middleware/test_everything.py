"""All bundled middleware in one chain, over real sockets: `examples/everything.py`."""

import asyncio
import contextlib
import gc
import gzip
import json
import sys
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from ohia import Context, Next, Ohia
from ohia.signature import middleware_name

EXAMPLE = Path(__file__).parents[2] / "examples" / "everything.py"
BUNDLED = EXAMPLE.parents[1] / "src" / "ohia" / "middleware"
BROWSER = {"Accept": "text/html,*/*;q=0.8"}
DESCRIPTORS = Path("/proc/self/fd")

FORM = (
    b'--x\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="../a.bin"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n" + b"x" * 300_000 + b"\r\n--x--\r\n"
)
MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}


@dataclass(frozen=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: Message
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()


class Site:
    """The example, served; and the contexts of its requests, as long as somebody holds them."""

    def __init__(self, app: Ohia, port: int, contexts: "weakref.WeakSet[Any]") -> None:
        self.app = app
        self.port = port
        self.contexts = contexts
        self.cookies: dict[str, str] = {}

    async def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send one request on a connection of its own; cookies are kept."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        fields = {**({"Cookie": cookies} if cookies else {}), **(headers or {})}
        answer = await asyncio.to_thread(self._ask, method, target, fields, body)
        for line in answer.headers.get_all("Set-Cookie", []):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def _ask(self, method: str, target: str, headers: Any, body: bytes | None) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port)
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def socket(self, **options: Any) -> connect:
        return connect(f"ws://127.0.0.1:{self.port}/socket", proxy=None, **options)


def load() -> Any:
    spec = spec_from_file_location("everything", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    app: Ohia = load().app
    contexts = weakref.WeakSet[Any]()

    async def remember(ctx: Context, next: Next) -> None:
        contexts.add(ctx)
        await next()

    app.middleware.insert(0, remember)
    app.on("error", lambda: None)
    async with app.listen(0) as server:
        assert server.port is not None
        yield Site(app, server.port, contexts)


def test_the_example_has_all_middleware_there_is() -> None:
    bundled = {path.stem for path in BUNDLED.iterdir() if not path.stem.startswith("_")}
    source = EXAMPLE.read_text("utf-8")
    assert {
        name for name in bundled if f"from ohia.middleware.{name} import " not in source
    } == set()


async def test_a_request_has_what_each_of_them_adds(site: Site) -> None:
    first = await site.ask("GET", "/")
    second = await site.ask("GET", "/")
    assert (first.status, second.status) == (200, 200)
    assert "Hello Tobi" in first.text
    assert "here 1 times" in first.text
    assert "here 2 times" in second.text
    assert first.headers["X-Response-Time"].endswith("ms")
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]
    assert "nonce-" in first.headers["Content-Security-Policy"]
    assert first.headers["RateLimit-Remaining"] == "999"
    assert first.headers["X-Powered-By"] == "ohia"
    assert first.headers["Vary"] == "Origin, Cookie, Accept-Encoding"
    assert first.headers["ETag"]


async def test_json_is_pretty_on_demand_and_conditional(site: Site) -> None:
    first = await site.ask("GET", "/ferrets/7?pretty")
    again = await site.ask("GET", "/ferrets/7?pretty", {"If-None-Match": first.headers["ETag"]})
    assert json.loads(first.content) == {"number": 7, "url": "/ferrets/1"}
    assert (again.status, again.content) == (304, b"")


async def test_a_form_may_stand_for_another_method(site: Site) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await site.ask("POST", "/ferrets/7", form, b"_method=DELETE")).status == 204


async def test_an_upload(site: Site) -> None:
    answer = await site.ask("POST", "/upload", MULTIPART, FORM)
    assert answer.status == 200
    assert json.loads(answer.content) == {"name": "a.bin", "size": 300_000, "note": "hello"}


async def test_an_upload_from_another_site_is_refused_and_stored_nowhere(site: Site) -> None:
    foreign = {**MULTIPART, "Origin": "https://evil.example"}
    answer = await site.ask("POST", "/upload", foreign, FORM)
    assert answer.status == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_range(site: Site) -> None:
    whole = await site.ask("GET", "/files/hello.txt")
    part = await site.ask("GET", "/files/hello.txt", {"Range": "bytes=1-3"})
    assert (part.status, part.content) == (206, whole.content[1:4])
    assert part.headers["Content-Range"] == f"bytes 1-3/{len(whole.content)}"


async def test_a_file_of_the_application_s_choice_is_compressed(site: Site) -> None:
    answer = await site.ask("GET", "/files/../everything.py")
    assert answer.status == 404
    answer = await site.ask("GET", "/readme", {"Accept-Encoding": "gzip"})
    assert gzip.decompress(answer.content) == EXAMPLE.with_name("README.md").read_bytes()


async def test_a_stream_is_compressed_and_has_the_headers(site: Site) -> None:
    answer = await site.ask("GET", "/count", {"Accept-Encoding": "gzip"})
    assert gzip.decompress(answer.content) == b"0\n1\n2\n"
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.headers["RateLimit-Remaining"] == "999"
    assert answer.headers["X-Response-Time"]


async def test_server_sent_events(site: Site) -> None:
    answer = await site.ask("GET", "/events")
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert 'id: 2\ndata: {"number":2}\n\n' in answer.text


async def test_a_socket(site: Site) -> None:
    async with site.socket() as socket:
        assert socket.response is not None
        headers = socket.response.headers
        await socket.send("hello")
        assert await socket.recv() == "hello"
    assert headers["X-Request-Id"]
    assert headers["X-Response-Time"]
    assert headers["RateLimit-Remaining"] == "999"
    assert headers["X-Powered-By"] == "ohia"
    assert any(line.startswith("koa.sess=") for line in headers.get_all("Set-Cookie"))


async def test_a_socket_of_another_site_is_refused_with_a_page(site: Site) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with site.socket(origin=Origin("https://evil.example"), additional_headers=BROWSER):
            raise AssertionError
    response = refused.value.response
    assert response.status_code == 403
    assert b"<h1>403 Forbidden</h1>" in (response.body or b"")
    assert response.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/favicon.ico", 404),
        ("PUT", "/", 405),
        ("GET", "/admin", 401),
        ("GET", "/fault", 500),
    ],
)
async def test_errors_have_pages_and_keep_the_headers(
    site: Site, method: str, target: str, status: int
) -> None:
    answer = await site.ask(method, target, {**BROWSER, "Origin": "https://partner.example"})
    assert answer.status == status
    assert f"<h1>{status} " in answer.text
    assert "today" not in answer.text
    assert answer.headers["Access-Control-Allow-Origin"] == "https://partner.example"
    assert answer.headers["X-Request-Id"]
    assert answer.headers["X-Response-Time"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["RateLimit-Limit"] == "1000"


async def test_a_preflight_is_answered_by_cors(site: Site) -> None:
    asked = {"Origin": "https://partner.example", "Access-Control-Request-Method": "DELETE"}
    answer = await site.ask("OPTIONS", "/ferrets/7", asked)
    assert answer.status == 204
    assert "DELETE" in answer.headers["Access-Control-Allow-Methods"]


async def test_mounted_and_foreign_applications(site: Site) -> None:
    user = {"Authorization": "Basic dG9iaTpmZXJyZXQ="}
    assert (await site.ask("GET", "/admin", user)).text == "admin at /admin"
    assert (await site.ask("GET", "/", {"Host": "admin.localhost"})).text.startswith("admin at ")
    assert (await site.ask("GET", "/asgi")).text == "ASGI says hello"
    assert (await site.ask("GET", "/wsgi")).text == "WSGI says hello to GET"


TANGLED = ("/asgi", "/wsgi", "/events")  # these tie cycles, which the collector finds


async def visit(site: Site, *targets: str) -> None:
    """Ask for each kind of answer once, and for `targets`."""
    for target in ("/", "/ferrets/7", "/readme", "/count", "/fault", *targets):
        await site.ask("GET", target, {"Accept-Encoding": "gzip"})
    await site.ask("GET", "/files/hello.txt", {"Range": "bytes=1-3"})
    await site.ask("POST", "/upload", MULTIPART, FORM)
    async with site.socket() as socket:
        await socket.send("hello")
        await socket.recv()


async def until(is_so: Callable[[], object]) -> None:
    """Wait for what nobody tells of."""
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0)


async def test_nothing_is_left_behind_but_what_a_first_visit_opens(site: Site) -> None:
    def is_over() -> bool:
        gc.collect()
        return not site.contexts

    await visit(site, *TANGLED)  # threads, imports, templates
    await until(is_over)
    tasks, files = asyncio.all_tasks(), open_files()
    for _ in range(2):
        await visit(site, *TANGLED)
    await until(is_over)
    await until(lambda: asyncio.all_tasks() == tasks)
    with contextlib.suppress(TimeoutError):  # a loop closes a socket one turn after its end
        await until(lambda: not open_files() - files)
    assert open_files() - files == Counter()


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="it counts references")
async def test_in_production_requests_end_without_the_collector(site: Site) -> None:
    site.app.env = "production"
    site.app.middleware[:] = [each for each in site.app.middleware if not is_bridge(each)]
    await visit(site)
    gc.collect()
    gc.disable()
    try:
        await visit(site)
        await until(lambda: not site.contexts)
    finally:
        gc.enable()


def is_bridge(middleware: Any) -> bool:
    """Say whether `middleware` runs the rest of the chain below ASGI, which makes cycles."""
    return middleware_name(middleware).startswith("asgi_middleware")


def open_files() -> Counter[str]:
    """Return what the descriptors of this process stand for; nothing where nobody says."""
    links = DESCRIPTORS.iterdir() if sys.platform == "linux" else ()
    return Counter(str(each.readlink()) for each in links if each.is_symlink())
