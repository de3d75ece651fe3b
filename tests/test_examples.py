"""Every example, started as a user starts it and talked to over a socket."""

import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from hashlib import sha256
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
URL = re.compile(r"https?://[\w.]+:\d+")
LOGGED = re.compile(r"^\d{4}-\d\d-\d\dT[\d:]+Z .*\n", re.MULTILINE)


@dataclass
class Example:
    """A running example: where it listens, and, once it has ended, what it printed."""

    urls: list[str]
    out: str = ""
    err: str = ""
    log: list[str] = field(default_factory=list)
    """The lines of the access log, which are not in `err`."""

    @property
    def url(self) -> str:
        return self.urls[0]

    def get(self, target: str = "/", **options: Any) -> "Answer":
        return ask(self.url, "GET", target, **options)


@dataclass(frozen=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: Message
    cookies: list[str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()

    def json(self) -> Any:
        return json.loads(self.content)


def ask(
    url: str,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: Any = None,
    trust: ssl.SSLContext | None = None,
) -> Answer:
    """Send one request on a connection of its own."""
    host = urlsplit(url).netloc
    connection = HTTPSConnection(host, context=trust) if trust else HTTPConnection(host)
    try:
        connection.request(method, target, body, dict(headers or {}))
        response = connection.getresponse()
        cookies = response.headers.get_all("Set-Cookie", [])
        return Answer(response.status, response.headers, cookies, response.read())
    finally:
        connection.close()


@contextmanager
def example(
    name: str, *, urls: int = 1, exit_code: int = 0, **environment: str
) -> Iterator[Example]:
    """Run `examples/<name>.py` on free ports until the block ends, then stop it by SIGTERM."""
    command = [sys.executable, str(EXAMPLES / f"{name}.py")]
    with started(command, urls=urls, exit_code=exit_code, **environment) as running:
        yield running


@contextmanager
def started(
    command: list[str], *, urls: int, exit_code: int, **environment: str
) -> Iterator[Example]:
    """Run `command` until the block ends; it has printed so many URLs when the block begins."""
    process = subprocess.Popen(  # noqa: S603 - our own commands
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        env={**os.environ, "PORT": "0", **environment},
    )
    assert process.stderr is not None
    try:
        running = Example([])
        for line in process.stderr:
            running.err += line
            running.urls += URL.findall(line)
            if len(running.urls) == urls:
                break
        assert len(running.urls) == urls, running.err
        yield running
        process.send_signal(signal.SIGTERM)
        running.out, err = process.communicate()
        running.log = LOGGED.findall(err)
        running.err += LOGGED.sub("", err)
        assert process.returncode == exit_code, running.err
    finally:
        process.kill()
        process.communicate()


def cookie_header(answer: Answer) -> str:
    """Return what a browser would send back."""
    return "; ".join(each.partition(";")[0] for each in answer.cookies)


def test_every_example_has_a_test() -> None:
    files = {path.stem for path in EXAMPLES.glob("*.py")}
    started = re.findall(r'example\(\s*"(\w+)"|"(\w+)\.py"', Path(__file__).read_text("utf-8"))
    assert files == {first or second for first, second in started}


def test_the_readme_lists_every_example() -> None:
    listed = re.findall(r"\]\((\w+)\.py\)", (EXAMPLES / "README.md").read_text("utf-8"))
    assert sorted(set(listed)) == sorted(path.stem for path in EXAMPLES.glob("*.py"))


def test_hello() -> None:
    with example("hello") as running:
        answer = running.get()
    assert (answer.status, answer.text) == (200, "Hello World")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert running.out == ""


def test_hello_under_uvicorn() -> None:
    options = ["--no-proxy-headers", "--port", "0"]
    command = [sys.executable, "-m", "uvicorn", "examples.hello:app", *options]
    with started(command, urls=1, exit_code=-signal.SIGTERM) as running:
        answer = running.get()
    assert answer.text == "Hello World"


def test_cascading() -> None:
    with example("cascading") as running:
        answer = running.get("/a?b=c")
    assert answer.text == "Hello World"
    assert re.fullmatch(r"\d+ms", answer.headers["X-Response-Time"])
    assert re.fullmatch(r"GET /a\?b=c - \d+\n", running.out)


def test_cascading_async() -> None:
    with example("cascading_async") as running:
        answer = running.get("/a?b=c")
    assert answer.text == "Hello World"
    assert re.fullmatch(r"\d+ms", answer.headers["X-Response-Time"])
    assert re.fullmatch(r"GET /a\?b=c - \d+\n", running.out)


def test_settings() -> None:
    forwarded = {
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "tobi.ferrets.example.com",
    }
    with example("settings") as running:
        answer = running.get(headers=forwarded)
    assert answer.text.startswith('{\n  "name": "shop"')
    assert answer.json() == {
        "name": "shop",
        "env": "development",
        "protocol": "https",
        "ip": "203.0.113.7",
        "subdomains": ["ferrets", "tobi"],
    }


def test_useless() -> None:
    with example("useless") as running:
        answer = running.get()
    assert (answer.status, answer.text) == (404, "Not Found")
    assert running.err == f"ohia: listening on {running.url}\n"


def test_server_by_hand() -> None:
    with example("server_by_hand") as running:
        answer = running.get()
    assert answer.text == "Hello World"


def test_two_ports() -> None:
    with example("two_ports", urls=2) as running:
        texts = [ask(url, "GET", "/").text for url in running.urls]
    ports = [urlsplit(url).port for url in running.urls]
    assert len(set(ports)) == 2
    assert texts == [f"Hello from port {port}" for port in ports]


def test_http_and_https(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(tmp_path / "cert.pem", append=True)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    certfile, keyfile = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    with example("http_and_https", urls=2, CERTFILE=certfile, KEYFILE=keyfile) as running:
        plain, secure = running.urls
        over_plain = ask(plain, "GET", "/")
        over_tls = ask(secure, "GET", "/", trust=trust)
    assert secure.startswith("https://")
    assert (over_plain.text, over_tls.text) == ("Hello over http", "Hello over https")


def test_foreign_host() -> None:
    with example("foreign_host", exit_code=-signal.SIGTERM) as running:  # uvicorn's way to go
        outside = running.get("/elsewhere")
        inside = running.get("/blog/posts/a%20b?page=2")
    assert outside.text == "Hello from the host"
    assert inside.json() == {
        "mounted at": "/blog",
        "path": "/posts/a%20b",
        "url": "/blog/posts/a%20b?page=2",
    }


def test_keys() -> None:
    with example("keys") as running:
        first = running.get()
        cookie = cookie_header(first)
        again = running.get(headers={"Cookie": cookie})
        forged = running.get(headers={"Cookie": cookie.replace("name=tobi", "name=loki")})
    assert first.text == "Hello, stranger"
    assert again.text == "Hello again, tobi"
    assert forged.text == "Hello, stranger"


def test_keygrip() -> None:
    with example("keygrip") as running:
        first = running.get()
        cookie = cookie_header(first)
        again = running.get(headers={"Cookie": cookie})
    assert re.fullmatch(r"name=tobi; name\.sig=[\w-]{43}", cookie)  # 32 bytes: SHA-256
    assert again.text == "Hello again, tobi"


def test_error_default() -> None:
    with example("error_default") as running:
        answer = running.get("/turtles")
    assert (answer.status, answer.text) == (500, "Internal Server Error")
    assert "  RuntimeError: no /turtles today\n" in running.err


def test_error_listener() -> None:
    with example("error_listener") as running:
        answer = running.get("/turtles")
    assert (answer.status, answer.text) == (500, "Internal Server Error")
    assert "server error: RuntimeError('no /turtles today')\n" in running.err
    assert "Traceback" not in running.err


def test_error_listener_ctx() -> None:
    with example("error_listener_ctx") as running:
        early = running.get("/early")
        with pytest.raises(HTTPException):
            running.get("/late")
    assert (early.status, early.text) == (500, "Internal Server Error")
    assert "at GET /early, sent: False\n" in running.err
    assert "at GET /late, sent: True\n" in running.err


def test_response_time() -> None:
    with example("response_time") as running:
        answer = running.get()
    assert answer.status == 404
    assert re.fullmatch(r"\d+ms", answer.headers["X-Response-Time"])


def test_response_time_inline() -> None:
    with example("response_time_inline") as running:
        answer = running.get()
    assert answer.status == 404
    assert re.fullmatch(r"\d+ms", answer.headers["X-Response-Time"])


def test_onion() -> None:
    with example("onion") as running:
        answer = running.get()
    assert answer.text == "Hello World"
    steps = [int(line[:2]) for line in running.out.splitlines()]
    assert steps == list(range(1, 14))


def test_onion_without_a_body_sets_no_length() -> None:
    with example("onion") as running:
        answer = running.get("/elsewhere")
    assert answer.status == 404
    steps = [int(line[:2]) for line in running.out.splitlines()]
    assert steps == [1, 2, 3, 4, 5, 6, 7, 9, 11, 12, 13]


def test_response() -> None:
    with example("response") as running:
        root, elsewhere = running.get("/"), running.get("/elsewhere")
    assert root.text == "Hello World"
    assert (elsewhere.status, elsewhere.text) == (404, "Not Found")


def test_logger() -> None:
    with example("logger") as running:
        running.get("/a?b=c")
    assert running.out == 'GET "/a?b=c"\nGET /a?b=c\n'


def test_named() -> None:
    with example("named", DEBUG="ohia*") as running:
        running.get("/a")
    assert running.out == "named: /a\nnameless: /a\n"
    assert "  ohia:application use logger +0ms\n" in running.err
    assert re.search(r"^  ohia:application use - \+\d+ms$", running.err, re.MULTILINE)


def test_combine_by_hand() -> None:
    with example("combine_by_hand") as running:
        random, backwards, pi, none = (
            running.get(target) for target in ("/random", "/backwards", "/pi", "/none")
        )
    assert random.json() in range(10)
    assert (backwards.text, pi.text) == ("sdrawkcab", "3.141592653589793")
    assert none.status == 404


def test_combine_by_compose() -> None:
    with example("combine_by_compose") as running:
        random, backwards, pi, none = (
            running.get(target) for target in ("/random", "/backwards", "/pi", "/none")
        )
    assert random.json() in range(10)
    assert (backwards.text, pi.text) == ("sdrawkcab", "3.141592653589793")
    assert none.status == 404


def test_one_two_three() -> None:
    with example("one_two_three") as running:
        answer = running.get()
    assert answer.text == "two"
    assert running.out == ">> one\n>> two\n>> three\n<< three\n<< two\n<< one\n"


def test_one_two() -> None:
    with example("one_two") as running:
        answer = running.get()
    assert answer.text == "two"
    assert running.out == ">> one\n>> two\n<< two\n<< one\n"


def test_read_files() -> None:
    with example("read_files") as running:
        answer = running.get()
    assert answer.headers["Content-Type"] == "text/markdown; charset=utf-8"
    paths = sorted((ROOT / "docs").glob("*.md"))
    assert answer.content == b"".join(path.read_bytes() for path in paths)


def test_debugging() -> None:
    with example("debugging", DEBUG="ohia*") as running:
        answer = running.get()
    assert answer.text == "Hello World"
    assert running.out == "GET / 200\n"
    lines = [line for line in running.err.splitlines() if "ohia:application" in line]
    names = ["response_time", "logger", "content_length", "notfound", "response"]
    wanted = [*(f"use {name}" for name in names), "listen"]
    for line, event in zip(lines, wanted, strict=True):
        assert re.fullmatch(rf"  ohia:application {event} \+\d+ms", line)
    assert lines[0].endswith("+0ms")


def test_without_debug_nothing_is_logged() -> None:
    with example("debugging", DEBUG="") as running:
        answer = running.get("/nowhere")
    assert (answer.status, answer.text) == (404, "Nothing here")
    assert running.err == f"ohia: listening on {running.url}\n"


def test_named_files() -> None:
    with example("named_files", DEBUG="ohia*") as running:
        found = running.get("/hello.txt")
        outside = running.get("/../hello.py")
    assert found.text == "Hello from a file\n"
    assert found.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert outside.status == 404
    assert "  ohia:application use serve /public +0ms\n" in running.err


def test_mounted_together() -> None:
    with example("mounted_together") as running:
        blog = running.get("/blog/posts")
        blog_root = running.get("/blog")
        shop = running.get("/posts", headers={"Host": "shop.localhost"})
        none = running.get("/blogs")
    assert (blog.text, blog_root.text) == ("The blog at /posts", "The blog at /")
    assert shop.text == "The shop at /posts"
    assert none.status == 404
    assert "shop.localhost /posts 200\n" in running.out


def socket_url(running: Example, target: str = "/") -> str:
    return running.url.replace("http", "ws", 1) + target


def test_upgrade_usage() -> None:
    with example("upgrade_usage") as running:
        plain = running.get()
        with connect(socket_url(running)) as socket:
            message = socket.recv()
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv()
    assert (plain.status, plain.text) == (400, "A upgrade request was expected")
    assert message == "Hello World!"
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1000


def test_one_chain() -> None:
    with example("one_chain") as running:
        page = running.get("/?user=tobi")
        with connect(socket_url(running, "/?user=loki")) as socket:
            message = socket.recv()
            assert socket.response is not None
            user = socket.response.headers["X-User"]
    assert (page.text, page.headers["X-User"]) == ("Hello tobi", "tobi")
    assert (message, user) == ("Hello loki, live", "loki")
    assert running.out == ">> GET /\n<< GET / 200\n>> GET /\n<< GET / 101\n"


def test_echo() -> None:
    with example("echo") as running:
        page = running.get()
        with connect(socket_url(running)) as socket:
            echoes: list[str | bytes] = []
            for message in ("text", b"bytes", ""):
                socket.send(message)
                echoes.append(socket.recv())
    assert page.text == "Open a WebSocket here"
    assert echoes == ["text", b"bytes", ""]


def test_refused_upgrade() -> None:
    with example("refused_upgrade") as running:
        with pytest.raises(InvalidStatus) as refused:
            connect(socket_url(running))
        allowed = {"Authorization": "Bearer turtle"}
        with connect(socket_url(running), additional_headers=allowed) as socket:
            message = socket.recv()
        plain = running.get(headers=allowed)
    response = refused.value.response
    assert (response.status_code, response.body) == (401, b"Who are you?")
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert message == "the ferret is in the box"
    assert (plain.status, plain.headers["Upgrade"]) == (426, "websocket")


def test_cookies_on_upgrade() -> None:
    with example("cookies_on_upgrade") as running:
        first = running.get()
        cookie = {"Cookie": cookie_header(first)}
        with connect(socket_url(running), additional_headers=cookie) as socket:
            message = socket.recv()
            assert socket.response is not None
            cookies = socket.response.headers.get_all("Set-Cookie")
    assert (first.text, message) == ("visit 1", "visit 2")
    assert [each.partition("=")[0] for each in cookies] == ["visits", "visits.sig"]
    assert cookies[0].startswith("visits=2;")


def test_event_stream() -> None:
    with example("event_stream") as running:
        connection = HTTPConnection(urlsplit(running.url).netloc)
        connection.request("GET", "/")
        response = connection.getresponse()
        lines = [response.readline() for _ in range(4)]
        response.close()
        connection.close()
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert lines == [b"data: 1\n", b"\n", b"data: 2\n", b"\n"]
    assert running.err == f"ohia: listening on {running.url}\n"


def test_upload() -> None:
    pieces = [bytes([number]) * 65536 for number in range(40)]  # more than max_body
    with example("upload") as running:
        answer = ask(running.url, "PUT", "/", body=iter(pieces))
    content = b"".join(pieces)
    assert answer.json() == {"bytes": len(content), "sha256": sha256(content).hexdigest()}


def test_typed_json() -> None:
    with example("typed_json") as running:
        good, bad = (
            ask(running.url, "POST", "/", body=json.dumps(value))
            for value in ({"name": "tobi", "age": 2}, {"name": 3})
        )
    assert good.status == 201
    assert good.json() == {"created": {"name": "tobi", "age": 2}, "next year": 3}
    assert bad.status == 400
    assert "Expected `str`, got `int`" in bad.text


def test_lifespan() -> None:
    with example("lifespan") as running:
        first, second = running.get(), running.get()
    assert (first.text, second.text) == ("1 visits", "2 visits")
    assert running.out == "opened\nclosed\n"


def test_files(tmp_path: Path) -> None:
    form = (
        b'--x\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="../a.html"\r\n\r\n'
        b"<p>hello\r\n--x--\r\n"
    )
    with example("files", FOLDER=str(tmp_path)) as running:
        multipart = {"Content-Type": "multipart/form-data; boundary=x"}
        created = ask(running.url, "POST", "/files", headers=multipart, body=form)
        [file] = created.json()
        part = running.get(file["url"], headers={"Range": "bytes=3-7"})
        gone = running.get("/files/..%2fa.html")
        cut = ask(running.url, "POST", "/files", headers=multipart, body=form[:-8])
    assert (created.status, file["name"], file["size"]) == (201, "a.html", 8)
    assert (part.status, part.text) == (206, "hello")
    assert part.headers["Content-Disposition"].startswith("attachment")
    assert (gone.status, cut.status) == (404, 400)
    assert [path.suffix for path in tmp_path.iterdir()] == [".html"]


def test_testing_an_app() -> None:
    done = subprocess.run(  # noqa: S603 - our own file
        [sys.executable, EXAMPLES / "testing_an_app.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    assert re.fullmatch(r"(ok test_\w+\n){2}", done.stdout)


def test_main_greets() -> None:
    with example("main") as running:
        answer = running.get("/hello")
    assert answer.text == "Hello World"
    assert re.fullmatch(r"[\d.]+ms", answer.headers["X-Response-Time"])
    assert re.fullmatch(r"request GET /hello [\d.]+ms\n", running.out)


def test_main_counts_visits_in_a_signed_cookie() -> None:
    with example("main") as running:
        first = running.get()
        cookie = cookie_header(first)
        second = running.get(headers={"Cookie": cookie})
        forged = running.get(headers={"Cookie": cookie.replace("visits=1", "visits=9")})
    assert first.headers["Content-Type"] == "text/html; charset=utf-8"
    counts = [re.findall('<b id="visits">(.*?)</b>', page.text) for page in (first, second, forged)]
    assert counts == [["1"], ["2"], ["1"]]


def test_main_refuses_a_socket_without_the_cookie() -> None:
    with example("main") as running:
        with pytest.raises(InvalidStatus) as refused:
            connect(socket_url(running, "/chat"))
        plain = running.get("/chat")
    assert refused.value.response.status_code == 401
    assert "X-Response-Time" in refused.value.response.headers
    assert plain.status == 401


def test_main_tells_everybody_what_one_says() -> None:
    with example("main") as running:
        cookies = [{"Cookie": cookie_header(running.get())} for _ in range(2)]
        url = socket_url(running, "/chat")
        with connect(url, additional_headers=cookies[0]) as first:
            alone = json.loads(first.recv())
            with connect(url, additional_headers=cookies[1]) as second:
                met = [json.loads(each.recv()) for each in (first, second)]
                second.send("hello")
                heard = [json.loads(each.recv()) for each in (first, second)]
            left = json.loads(first.recv())
    assert (alone["present"], left["present"]) == (1, 1)
    assert met[0] == met[1]
    assert met[0]["present"] == 2
    assert heard[0] == heard[1]
    assert heard[0]["text"] == "hello"
    assert heard[0]["from"] in met[0]["text"]
    assert len(re.findall(r"^socket GET /chat ", running.out, re.MULTILINE)) == 2


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
@pytest.mark.timeout(60)
def test_main_in_a_browser(tmp_path: Path) -> None:
    with example("main") as running:
        browser = subprocess.run(  # noqa: S603 - found on the PATH
            [
                shutil.which("chromium") or "",
                *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
                *("--disable-background-networking", f"--user-data-dir={tmp_path}"),
                *("--virtual-time-budget=3000", "--dump-dom", running.url),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    assert re.search(r'<span id="state"[^>]*class="open"[^>]*>connected</span>', browser.stdout)
    assert re.search(r'<li class="event">\w+ \d+ came</li>', browser.stdout)
    assert ">1 here</output>" in browser.stdout


def test_everything() -> None:
    with example("everything") as running:
        answer = running.get()
    assert (answer.status, "Hello Tobi" in answer.text) == (200, True)
    assert re.search(r"^GET / 200 \d+ - [\d.]+ ms$", running.err, re.MULTILINE)
