"""`static`: which paths lead to which file, and which lead nowhere."""

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ohia import Context, Next, Ohia
from ohia.middleware.static import static
from ohia.testing import Client, Response
from ohia.testing.client import UpgradeRefused

LONG_AGO = 1_000_000_000
SECRET = "a secret"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder of files with others around it that must never be served."""
    root = tmp_path / "public"
    write(root / "a.txt", "a" * 1000)
    write(root / "index.html", "<p>home")
    write(root / "sub" / "index.html", "<p>sub")
    write(root / "bare" / "a.txt")
    write(root / "admin" / "secret.txt")
    write(root / ".env", SECRET)
    write(root / "deep" / ".b" / "c", SECRET)
    write(root / ".well-known" / "security.txt", "Contact:")
    write(root / ".well-known" / ".hidden", SECRET)
    write(tmp_path / "public_secret" / "a.txt", SECRET)
    write(tmp_path / "outside.txt", SECRET)
    return root


async def fetch(
    root: Path, url: str, headers: dict[str, str] | None = None, method: str = "GET", **options: Any
) -> Response:
    app = Ohia(env="test")
    app.use(static(root, **options))
    async with Client(app) as client:
        return await client.request(method, url, headers=headers or {})


async def test_a_file_is_sent_with_all_that_is_known_of_it(root: Path) -> None:
    response = await fetch(root, "/a.txt")
    assert (response.status, response.text) == (200, "a" * 1000)
    assert dict(response.headers) == {
        "content-type": "text/plain; charset=utf-8",
        "content-length": "1000",
        "etag": '"3e8-de0b6b3a7640000"',
        "last-modified": "Sun, 09 Sep 2001 01:46:40 GMT",
        "cache-control": "max-age=0",
        "accept-ranges": "bytes",
    }


async def test_head_has_the_headers_of_get(root: Path) -> None:
    get, head = await fetch(root, "/a.txt"), await fetch(root, "/a.txt", method="HEAD")
    assert (head.status, head.content) == (200, b"")
    assert dict(head.headers) == dict(get.headers)


async def test_a_large_file_comes_whole(root: Path) -> None:
    content = os.urandom(700_000)
    (root / "large.bin").write_bytes(content)
    response = await fetch(root, "/large.bin")
    assert response.content == content
    assert response.headers["content-length"] == "700000"


async def test_an_empty_file_is_an_answer(root: Path) -> None:
    write(root / "empty.css", "")
    response = await fetch(root, "/empty.css")
    assert (response.status, response.headers["content-length"]) == (200, "0")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("app.js", "text/javascript; charset=utf-8"),
        ("app.mjs", "text/javascript; charset=utf-8"),
        ("data.json", "application/json; charset=utf-8"),
        ("image.svg", "image/svg+xml"),
        ("page.HTML", "text/html; charset=utf-8"),
        ("code.wasm", "application/wasm"),
        ("font.woff2", "font/woff2"),
        ("html", "application/octet-stream"),  # a name, not an extension
        ("what.ever", "application/octet-stream"),
    ],
)
async def test_types_are_from_a_table_of_our_own(root: Path, name: str, expected: str) -> None:
    write(root / name)
    assert (await fetch(root, f"/{name}")).headers["content-type"] == expected


# --- nothing outside the root ----------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        *("/../outside.txt", "/..%2foutside.txt", "/%2e%2e/outside.txt", "/%2e%2e%2foutside.txt"),
        *(
            "/..%5coutside.txt",
            "/..\\outside.txt",
            "/%5c..%5coutside.txt",
            "/sub/../../outside.txt",
        ),
        *("/%252e%252e/outside.txt", "/..;/outside.txt", "/sub../outside.txt", "/.../outside.txt"),
        *("/%c0%ae%c0%ae/outside.txt", "/%e0%80%ae./outside.txt", "/..%c0%afoutside.txt"),
        *("/../public_secret/a.txt", "/_secret/a.txt", "/%2e%2e/public_secret/a.txt"),
        *("//etc/passwd", "/%2fetc/passwd", "//../outside.txt", "/file:///etc/passwd"),
        *("/file%3a///etc/passwd", "/C:%5cwindows", "/%5c%5cevil%5cshare", "/a.txt::$DATA"),
        *("/CON", "/NUL.txt", "/sub/AUX%20", "/a.txt.", "/a.txt%20", "/a.txt/", "/a.txt/x"),
        *("/a.txt%00", "/%00", "/%00a.txt", "/%ff", "/%ed%a0%80", "/%zz", "/%", "/" + "a" * 5000),
        *("/admin%2Fsecret.txt", "//admin/secret.txt", "/admin/./secret.txt", "/admin//secret.txt"),
        *("/admin%5csecret.txt", "/./admin/secret.txt", "/sub/../admin/secret.txt"),
        *("/.env", "/%2eenv", "/deep/.b/c", "/.git/config", "/.well-known/.hidden", "/.", "/.."),
        *("/bare", "/bare/", "/none", "/none/"),
    ],
)
async def test_a_path_that_leads_to_no_file_is_404_and_no_more(root: Path, path: str) -> None:
    response = await fetch(root, path)
    assert (response.status, response.text) == (404, "Not Found")


SEGMENTS = st.sampled_from(
    [
        *("..", ".", "", "%2e%2e", "..%2f", "%5c", "%00", "..;", "sub", "public"),
        *("outside.txt", "a.txt", ".env", "x", "link", "inside"),
    ]
)


@given(st.lists(SEGMENTS, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_no_path_of_any_kind_reads_a_secret(root: Path, segments: list[str]) -> None:
    if not (root / "link").is_symlink():
        (root / "link").symlink_to(root.parent)
        (root / "inside").symlink_to("sub")
    response = asyncio.run(fetch(root, "/" + "/".join(segments)))
    assert SECRET not in response.text
    assert response.status in {200, 301, 404}


async def test_a_guard_and_the_files_see_the_same_path(root: Path) -> None:
    app = Ohia(env="test")

    @app.use
    async def guard(ctx: Context, next: Next) -> None:
        if ctx.path.startswith("/admin"):
            ctx.throw(403)
        await next()

    app.use(static(root))
    async with Client(app) as client:
        assert (await client.get("/admin/secret.txt")).status == 403
        for path in ("/%61dmin%2fsecret.txt", "//admin/secret.txt", "/x/../admin/secret.txt"):
            assert (await client.get(path)).status == 404


async def test_links_inside_the_root_are_followed(root: Path) -> None:
    (root / "file").symlink_to("a.txt")
    (root / "folder").symlink_to("sub", target_is_directory=True)
    (root / "twice").symlink_to("folder", target_is_directory=True)
    (root / "absolute").symlink_to(root / "a.txt")
    assert (await fetch(root, "/file")).text == "a" * 1000
    assert (await fetch(root, "/absolute")).text == "a" * 1000
    assert (await fetch(root, "/folder/")).text == "<p>sub"
    assert (await fetch(root, "/twice/index.html")).text == "<p>sub"


async def test_links_out_of_the_root_are_refused_unless_asked_for(root: Path) -> None:
    (root / "file.txt").symlink_to("../outside.txt")
    (root / "folder").symlink_to(root.parent, target_is_directory=True)
    (root / "sibling").symlink_to(root.parent / "public_secret", target_is_directory=True)
    for path in ("/file.txt", "/folder/outside.txt", "/sibling/a.txt", "/folder", "/folder/"):
        assert (await fetch(root, path)).status == 404
    assert (await fetch(root, "/file.txt", outside_links=True)).text == SECRET
    assert (await fetch(root, "/folder/outside.txt", outside_links=True)).text == SECRET


async def test_links_that_lead_nowhere_are_404(root: Path) -> None:
    (root / "loop").symlink_to("loop")
    (root / "gone").symlink_to("none")
    for path in ("/loop", "/gone", "/loop/a.txt"):
        assert (await fetch(root, path)).status == 404
        assert (await fetch(root, path, outside_links=True)).status == 404


async def test_the_root_itself_may_be_a_link(root: Path) -> None:
    (root.parent / "current").symlink_to(root)
    assert (await fetch(root.parent / "current", "/sub/index.html")).text == "<p>sub"
    (root / "file").symlink_to(root / "a.txt")
    assert (await fetch(root.parent / "current", "/file")).text == "a" * 1000


async def test_what_is_no_regular_file_is_404_at_once(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "socket"))
        (root / "device").symlink_to("/dev/zero")
        for path in ("/pipe", "/socket", "/device"):
            assert (await fetch(root, path)).status == 404
            assert (await fetch(root, path, outside_links=True)).status == 404


async def test_a_compressed_sibling_keeps_the_rules_of_files(root: Path) -> None:
    (root / "a.txt.gz").symlink_to("../outside.txt")
    (root / "a.txt.br").mkdir()
    write(root / ".env.zst", SECRET)
    accepting = {"Accept-Encoding": "gzip, br, zstd"}
    assert (await fetch(root, "/a.txt", accepting)).text == "a" * 1000
    assert (await fetch(root, "/.env", accepting)).status == 404


async def test_a_file_that_cannot_be_read_is_an_error_without_its_path(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **options: Any) -> int:
        raise PermissionError(13, "Permission denied", str(root / "a.txt"))

    app = Ohia(env="test")
    app.use(static(root))
    async with Client(app, raise_errors=False) as client:
        monkeypatch.setattr(os, "open", refuse)  # the tests may run as root, who reads anything
        response = await client.get("/a.txt")
    assert (response.status, response.text) == (500, "Internal Server Error")


# --- dotfiles --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "path", "status"),
    [
        ({}, "/.env", 404),
        ({}, "/.well-known/security.txt", 200),
        ({}, "/sub/.well-known/security.txt", 404),
        ({"well_known": False}, "/.well-known/security.txt", 404),
        ({"dotfiles": "deny"}, "/.env", 403),
        ({"dotfiles": "deny"}, "/.none", 403),  # whether it is there or not
        ({"dotfiles": "deny"}, "/deep/.b/c", 403),
        ({"dotfiles": "deny"}, "/.well-known/security.txt", 200),
        ({"dotfiles": "deny"}, "/..", 404),
        ({"dotfiles": "allow"}, "/.env", 200),
        ({"dotfiles": "allow"}, "/deep/.b/c", 200),
        ({"dotfiles": "allow"}, "/../outside.txt", 404),
    ],
)
async def test_dotfiles(root: Path, options: dict[str, Any], path: str, status: int) -> None:
    assert (await fetch(root, path, **options)).status == status


# --- folders and extensions ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "location"),
    [("/sub", "./sub/"), ("/sub?a=1&b=%20", "./sub/?a=1&b=%20"), ("/%73ub", "./sub/")],
)
async def test_a_folder_without_its_slash_is_a_redirect(
    root: Path, path: str, location: str
) -> None:
    response = await fetch(root, path)
    assert (response.status, response.headers["location"]) == (301, location)


@pytest.mark.parametrize(
    "path",
    ["//evil.example/%2e%2e", "//evil.example", "/%5cevil.example", "/\\evil.example", "//sub"],
)
async def test_a_redirect_never_leaves_the_host(root: Path, path: str) -> None:
    write(root / "evil.example" / "index.html")
    response = await fetch(root, path)
    assert (response.status, response.headers.get("location")) == (404, None)


async def test_without_redirect_the_index_answers_at_both(root: Path) -> None:
    for path in ("/sub", "/sub/"):
        assert (await fetch(root, path, redirect=False)).text == "<p>sub"


async def test_another_index_or_none(root: Path) -> None:
    assert (await fetch(root, "/bare/", index="a.txt")).text == "x"
    for path in ("/", "/sub", "/sub/"):
        assert (await fetch(root, path, index=None)).status == 404


async def test_below_a_mount_its_own_folder_gets_its_slash(root: Path) -> None:
    app = Ohia(env="test")

    @app.use
    async def mount(ctx: Context, next: Next) -> None:
        ctx.mount_path, ctx.path = "/files", ctx.path.removeprefix("/files") or "/"
        await next()

    app.use(static(root))
    async with Client(app) as client:
        assert (await client.get("/files?q")).headers["location"] == "./files/?q"
        assert (await client.get("/files/")).text == "<p>home"
        assert (await client.get("/files/sub")).headers["location"] == "./sub/"


async def test_extensions_are_tried_for_a_name_without_one(root: Path) -> None:
    write(root / "page.html", "<p>page")
    write(root / "sub.html", "<p>sub.html")
    write(root / "v1.2.html")
    options: dict[str, Any] = {"extensions": ["txt", ".html"]}
    assert (await fetch(root, "/page", **options)).text == "<p>page"
    assert (await fetch(root, "/sub", **options)).text == "<p>sub.html"  # as koa-send does
    assert (await fetch(root, "/sub/", **options)).text == "<p>sub"
    assert (await fetch(root, "/v1.2", **options)).status == 404
    assert (await fetch(root, "/page")).status == 404


# --- precompressed ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, zstd", "zstd"),
        ("gzip", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.5, gzip;q=0.9, zstd;q=0.5", "gzip"),
        ("*", "br"),
        ("identity", None),
        ("gzip;q=0", None),
        ("identity, gzip;q=0.5", None),
        ("", None),
    ],
)
async def test_a_compressed_sibling_is_chosen_by_what_the_client_accepts(
    root: Path, field: str, coding: str | None
) -> None:
    for each, suffix in (("br", ".br"), ("zstd", ".zst"), ("gzip", ".gz")):
        write(root / f"a.txt{suffix}", f"in {each}")
    response = await fetch(root, "/a.txt", {"Accept-Encoding": field})
    assert response.headers.get("content-encoding") == coding
    assert response.text == (f"in {coding}" if coding else "a" * 1000)
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.headers["etag"].endswith(f'-{coding}"' if coding else '40000"')


async def test_a_file_without_siblings_does_not_vary(root: Path) -> None:
    response = await fetch(root, "/a.txt", {"Accept-Encoding": "br"})
    assert "vary" not in response.headers


async def test_siblings_can_be_switched_off(root: Path) -> None:
    write(root / "a.txt.br", "in br")
    response = await fetch(root, "/a.txt", {"Accept-Encoding": "br"}, precompressed=())
    assert response.text == "a" * 1000


async def test_indexes_and_extensions_have_siblings_too(root: Path) -> None:
    write(root / "index.html.gz", "gz")
    accepting = {"Accept-Encoding": "gzip"}
    assert (await fetch(root, "/", accepting)).text == "gz"
    response = await fetch(root, "/index", accepting, extensions=["html"])
    assert (response.text, response.headers["content-encoding"]) == ("gz", "gzip")


# --- caching ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"max_age": 60}, "max-age=60"),
        ({"max_age": 60.9, "immutable": True}, "max-age=60, immutable"),
        ({"immutable": r"^/a\."}, "max-age=31536000, immutable"),
        ({"max_age": 60, "immutable": r"\.js$"}, "max-age=60"),
        ({"set_headers": lambda ctx, *_: ctx.set("Cache-Control", "no-store")}, "no-store"),
    ],
)
async def test_caching(root: Path, options: dict[str, Any], expected: str) -> None:
    assert (await fetch(root, "/a.txt", **options)).headers["cache-control"] == expected


async def test_set_headers_gets_the_file_and_wins(root: Path) -> None:
    async def set_headers(ctx: Context, path: str, facts: os.stat_result) -> None:
        assert (path, facts.st_size) == (str(root / "a.txt"), 1000)
        ctx.type = "html"
        ctx.etag = "mine"
        ctx.set("X-File", "1")

    response = await fetch(root, "/a.txt", set_headers=set_headers)
    wanted = ("text/html; charset=utf-8", '"mine"', "1")
    assert tuple(map(response.headers.get, ("content-type", "etag", "x-file"))) == wanted


TAG = '"3e8-de0b6b3a7640000"'
DATE = "Sun, 09 Sep 2001 01:46:40 GMT"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": TAG}, 304),
        ({"If-None-Match": f"W/{TAG}"}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-None-Match": "*"}, 304),
        ({"If-Modified-Since": DATE}, 304),
        ({"If-Modified-Since": "Sun, 09 Sep 2001 01:46:39 GMT"}, 200),
        ({"If-Match": TAG}, 200),
        ({"If-Match": '"other"'}, 412),
        ({"If-Unmodified-Since": "Sun, 09 Sep 2001 01:46:39 GMT"}, 412),
        ({"If-Match": '"other"', "If-None-Match": TAG}, 412),
        ({"If-None-Match": TAG, "Range": "bytes=0-1"}, 304),
    ],
)
async def test_conditions(root: Path, headers: dict[str, str], status: int, method: str) -> None:
    response = await fetch(root, "/a.txt", headers, method)
    assert response.status == status
    assert bool(response.content) is (method == "GET" and status != 304)


async def test_a_304_says_what_the_200_would_say_to_a_cache(root: Path) -> None:
    write(root / "a.txt.br")
    response = await fetch(root, "/a.txt", {"If-None-Match": TAG}, max_age=9)
    assert response.status == 304
    assert response.headers["etag"] == TAG
    assert response.headers["cache-control"] == "max-age=9"
    assert response.headers["vary"] == "Accept-Encoding"
    assert "content-type" not in response.headers


async def test_a_file_that_changed_just_now_has_a_weak_tag(root: Path) -> None:
    (root / "new.txt").write_text("x" * 1000)
    response = await fetch(root, "/new.txt")
    tag, date = response.headers["etag"], response.headers["last-modified"]
    assert tag.startswith('W/"')
    assert (await fetch(root, "/new.txt", {"If-None-Match": tag})).status == 304
    for condition in (tag, tag.removeprefix("W/"), date):
        asked = {"Range": "bytes=0-1", "If-Range": condition}
        assert (await fetch(root, "/new.txt", asked)).status == 200


async def test_a_file_from_the_future_was_modified_now(root: Path) -> None:
    os.utime(root / "a.txt", (2**33, 2**33))
    response = await fetch(root, "/a.txt")
    assert response.status == 200
    assert "2242" not in response.headers["last-modified"]


# --- ranges ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "status", "content_range", "length"),
    [
        ("bytes=0-", 206, "bytes 0-999/1000", 1000),
        ("bytes=0-0", 206, "bytes 0-0/1000", 1),
        ("bytes=-1", 206, "bytes 999-999/1000", 1),
        ("bytes=-5000", 206, "bytes 0-999/1000", 1000),
        ("bytes=990-5000", 206, "bytes 990-999/1000", 10),
        ("bytes=0-4,3-9", 206, "bytes 0-9/1000", 10),
        ("bytes=-0", 416, "bytes */1000", 21),
        ("bytes=5-2", 416, "bytes */1000", 21),
        ("bytes=1000-", 416, "bytes */1000", 21),
        ("bytes=99999999999999999999-", 416, "bytes */1000", 21),
        ("bytes=x", 200, None, 1000),
        ("lines=0-1", 200, None, 1000),
    ],
)
async def test_one_range(
    root: Path, field: str, status: int, content_range: str | None, length: int
) -> None:
    response = await fetch(root, "/a.txt", {"Range": field})
    assert (response.status, len(response.content)) == (status, length)
    assert response.headers.get("content-range") == content_range
    assert response.headers["content-length"] == str(length)


async def test_several_ranges_are_a_multipart(root: Path) -> None:
    write(root / "digits", "".join(f"{each:04}" for each in range(1000)))
    response = await fetch(root, "/digits", {"Range": "bytes=0-3,-4,100-107"})
    boundary = response.headers["content-type"].removeprefix("multipart/byteranges; boundary=")
    assert response.status == 206
    assert "content-range" not in response.headers
    assert response.headers["content-length"] == str(len(response.content))
    parts = [each.split("\r\n\r\n") for each in response.text.split(f"--{boundary}")[1:-1]]
    assert [(head.split("\r\n")[2], body.strip()) for head, body in parts] == [
        ("Content-Range: bytes 0-3/4000", "0000"),
        ("Content-Range: bytes 3996-3999/4000", "0999"),
        ("Content-Range: bytes 100-107/4000", "00250026"),
    ]


@pytest.mark.parametrize(
    "field",
    [
        "bytes=" + ",".join(["0-"] * 10_000),
        "bytes=" + ",".join(f"{each}-" for each in range(10_000)),
        "bytes=" + ",".join(f"{each}-{each}" for each in range(0, 1000, 100)),
        "bytes=" + ",".join(["-1", "0-0"] * 500),
    ],
)
async def test_many_ranges_never_give_more_than_the_file(root: Path, field: str) -> None:
    response = await fetch(root, "/a.txt", {"Range": field})
    assert response.status in {200, 206, 416}
    assert len(response.content) <= 1100


async def test_more_than_ten_parts_are_the_whole(root: Path) -> None:
    write(root / "large", "x" * 100_000)
    ten = ",".join(f"{each}-{each}" for each in range(0, 100, 10))
    assert (await fetch(root, "/large", {"Range": f"bytes={ten}"})).status == 206
    assert (await fetch(root, "/large", {"Range": f"bytes={ten},500-500"})).status == 200


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        (TAG, 206),
        (DATE, 206),
        (f"W/{TAG}", 200),
        ('"other"', 200),
        ("Sun, 09 Sep 2001 01:46:39 GMT", 200),
        ("Sun, 09 Sep 2001 01:46:41 GMT", 200),
        ("garbage", 200),
    ],
)
async def test_if_range(root: Path, condition: str, status: int) -> None:
    response = await fetch(root, "/a.txt", {"Range": "bytes=0-4", "If-Range": condition})
    assert response.status == status


async def test_head_knows_no_ranges(root: Path) -> None:
    response = await fetch(root, "/a.txt", {"Range": "bytes=0-4"}, "HEAD")
    assert (response.status, response.headers["content-length"]) == (200, "1000")  # RFC 9110, 14.2


async def test_a_range_of_a_compressed_sibling_is_of_its_bytes(root: Path) -> None:
    write(root / "a.txt.br", "0123456789")
    asked = {"Accept-Encoding": "br", "Range": "bytes=2-3"}
    response = await fetch(root, "/a.txt", asked)
    assert (response.text, response.headers["content-range"]) == ("23", "bytes 2-3/10")


# --- downstream ------------------------------------------------------------------------------


async def chain(root: Path, url: str, method: str = "GET", **options: Any) -> Response:
    """Ask an application that has something to say where `static` lets it."""
    app = Ohia(env="test")
    app.use(static(root, **options))

    @app.use
    async def say(ctx: Context) -> None:
        if ctx.path.startswith("/say") or ctx.path == "/a.txt":
            ctx.body = "said"

    headers = HTML if url.endswith("?page") else {"Accept": "*/*"}
    async with Client(app) as client:
        return await client.request(method, url, headers=headers)


@pytest.mark.parametrize(
    ("options", "method", "url", "status", "text"),
    [
        ({}, "GET", "/a.txt", 200, "a" * 1000),
        ({}, "GET", "/say", 200, "said"),
        ({}, "POST", "/a.txt", 200, "said"),
        ({}, "GET", "/none", 404, "Not Found"),
        ({"defer": True}, "GET", "/a.txt", 200, "said"),
        ({"defer": True}, "GET", "/sub/", 200, "<p>sub"),
        ({"defer": True}, "POST", "/sub/", 404, "Not Found"),
        ({"fallthrough": False}, "GET", "/say", 404, "Not Found"),
        ({"fallthrough": False}, "POST", "/a.txt", 405, "Method Not Allowed"),
        ({"fallback": "index.html"}, "GET", "/some/page?page", 200, "<p>home"),
        ({"fallback": "index.html"}, "GET", "/say?page", 200, "said"),
        ({"fallback": "index.html"}, "GET", "/gone.js", 404, "Not Found"),
        ({"fallback": "index.html"}, "POST", "/some/page?page", 404, "Not Found"),
        ({"fallback": "index.html", "defer": True}, "GET", "/x?page", 200, "<p>home"),
        ({"fallback": "index.html", "fallthrough": False}, "GET", "/say?page", 200, "<p>home"),
    ],
)
async def test_who_answers(
    root: Path, options: dict[str, Any], method: str, url: str, status: int, text: str
) -> None:
    response = await chain(root, url, method, **options)
    assert (response.status, response.text) == (status, text)


async def test_a_405_names_what_is_allowed(root: Path) -> None:
    response = await chain(root, "/a.txt", "PUT", fallthrough=False)
    assert response.headers["allow"] == "GET, HEAD"


async def test_a_fallback_depends_on_what_is_accepted(root: Path) -> None:
    response = await chain(root, "/some/page?page", fallback="index.html")
    assert response.headers["vary"] == "Accept"
    response = await chain(root, "/gone.js", fallback="index.html")
    assert (response.status, response.headers["vary"]) == (404, "Accept")


async def test_deferred_it_leaves_an_empty_answer_alone(root: Path) -> None:
    app = Ohia(env="test")
    app.use(static(root, defer=True))

    @app.use
    async def nothing(ctx: Context) -> None:
        ctx.status = 204

    async with Client(app) as client:
        assert (await client.get("/a.txt")).status == 204


# --- sockets and streams ---------------------------------------------------------------------


async def test_a_handshake_is_never_answered_with_a_file(root: Path) -> None:
    app = Ohia(env="test")
    app.use(static(root, fallback="index.html"))

    @app.use
    async def echo(ctx: Context) -> None:
        if ctx.path == "/a.txt":
            socket = await ctx.upgrade()
            await socket.send("hello")

    async with Client(app) as client:
        async with client.websocket("/a.txt", headers=HTML) as socket:
            assert await socket.receive() == "hello"
        with pytest.raises(UpgradeRefused) as refused:
            async with client.websocket("/index.html"):
                raise AssertionError
    assert refused.value.response.status == 404


async def test_an_in_chain_stream_passes_through_it(root: Path) -> None:
    app = Ohia(env="test")
    app.use(static(root, defer=True, fallback="index.html"))

    @app.use
    async def streaming(ctx: Context) -> None:
        async with ctx.stream() as out:
            await out.write("streamed")

    async with Client(app) as client:
        assert (await client.get("/a.txt", headers=HTML)).text == "streamed"


# --- the wire --------------------------------------------------------------------------------


async def over_the_wire(app: Ohia, request: bytes) -> bytes:
    async with app.listen(0, grace=0.2) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer


async def test_a_file_that_grows_while_it_is_sent_keeps_its_length(root: Path) -> None:
    path = root / "large.bin"
    path.write_bytes(b"x" * 600_000)

    def grow(*_: Any) -> None:
        with path.open("ab") as file:
            file.write(b"y" * 1000)

    app = Ohia(env="test")
    app.use(static(root, set_headers=grow))
    answer = await over_the_wire(
        app, b"GET /large.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Length: 600000" in head
    assert body == b"x" * 600_000


async def test_a_file_that_is_cut_while_it_is_sent_cuts_the_connection(root: Path) -> None:
    path = root / "large.bin"
    path.write_bytes(b"x" * 900_000)
    errors: list[BaseException] = []
    app = Ohia(env="test")
    app.on("error", errors.append)
    app.use(static(root, set_headers=lambda *_: os.truncate(path, 300_000)))
    answer = await over_the_wire(app, b"GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Length: 900000" in head
    assert len(body) <= 300_000
    assert len(errors) == 1


def open_descriptors() -> list[str]:
    return sorted(
        str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()
    )


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are listed on Linux")
async def test_no_descriptor_is_left_open(root: Path) -> None:
    (root / "large.bin").write_bytes(b"x" * 600_000)
    (root / "link").symlink_to("../outside.txt")
    write(root / "large.bin.br", "x")
    app = Ohia(env="test")
    app.use(static(root))
    async with Client(app) as client:
        await client.get("/a.txt")
        before = open_descriptors()
        for path in ("/large.bin", "/sub", "/link", "/none", "/a.txt/x", "/bare"):
            for headers in (
                {},
                {"Range": "bytes=1-2"},
                {"Range": "bytes=9999999-"},
                {"If-Match": '"x"'},
            ):
                await client.get(path, headers=headers)
            await client.head(path, headers={"Accept-Encoding": "br"})
        async with client.stream("GET", "/large.bin") as response:
            await anext(response)  # and away
        async with asyncio.timeout(5):
            while open_descriptors() != before:  # noqa: ASYNC110 - a thread may be reading
                await asyncio.sleep(0)


async def test_a_cancelled_request_leaves_nothing_open(root: Path) -> None:
    app = Ohia(env="test")

    @app.use
    async def impatient(ctx: Context, next: Next) -> None:
        task = asyncio.ensure_future(next())
        await asyncio.sleep(0)  # it looks for the file now, in a thread
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        ctx.body = "too late"

    app.use(static(root))
    async with Client(app) as client:
        assert (await client.get("/a.txt")).text == "too late"
    # a file left open would be a ResourceWarning, which is an error here


# --- wrong calls -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"dotfiles": "maybe"}, ValueError),
        ({"precompressed": ["deflate"]}, ValueError),
        ({"extensions": "html"}, TypeError),
        ({"max_age": -1}, ValueError),
        ({"defer": True, "fallthrough": False}, ValueError),
    ],
)
def test_wrong_options_raise_at_once(
    root: Path, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        static(root, **options)


def test_a_root_that_is_no_folder_raises_at_once(root: Path) -> None:
    with pytest.raises(NotADirectoryError, match="serves a folder"):
        static(root / "a.txt")
    with pytest.raises(NotADirectoryError, match="serves a folder"):
        static(root / "none")
