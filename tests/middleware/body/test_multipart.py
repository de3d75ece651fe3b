"""Multipart forms: `ctx.request.files`, `form()` and `parts()` (security: 53 to 59)."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia import Context, Next, Ohia
from ohia.errors import PayloadTooLarge, UnsupportedMediaType
from ohia.middleware.body import body
from ohia.testing import Client, Response

Post = Callable[..., Awaitable[tuple[Any, Response]]]
KIB, MIB = 1024, 1024 * 1024
BOUNDARY = {"Content-Type": "multipart/form-data; boundary=x"}
LAZY = ("json", "form")


def part(name: str, content: bytes = b"1", filename: str | None = None, *lines: str) -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        disposition += f'; filename="{filename}"'
    head = "\r\n".join(["--x", disposition, *lines])
    return head.encode() + b"\r\n\r\n" + content + b"\r\n"


def multipart(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--x--\r\n"


def parsed(ctx: Context) -> Any:
    return ctx.request.body


async def the_upload(ctx: Context) -> Any:
    upload = ctx.request.files["f"]
    return upload.filename, upload.given_filename, upload.type, upload.size, await upload.read()


async def names_and_texts(ctx: Context) -> list[tuple[str, str | None, str]]:
    return [(each.name, each.filename, await each.text()) async for each in ctx.request.parts()]


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


class Source:
    """A body in pieces that counts how many were taken."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            self.taken += 1
            yield piece


# --- what is read ----------------------------------------------------------------------------


async def test_fields_and_files_come_apart(post: Post) -> None:
    async def look(ctx: Context) -> Any:
        return dict(ctx.request.body), await the_upload(ctx), ctx.request.raw_body

    content = multipart(part("a"), part("f", b"png", "a.png", "Content-Type: image/png"))
    value, _ = await post(look, content=content, headers=BOUNDARY)
    assert value == ({"a": "1"}, ("a.png", "a.png", "image/png", 3, b"png"), None)


async def test_repeated_names_are_asked_for(post: Post) -> None:
    def look(ctx: Context) -> Any:
        files = ctx.request.files
        texts = ctx.request.body.get_all("a")
        return texts, [each.filename for each in files.get_all("f")], list(files), len(files)

    content = multipart(part("a"), part("f", b"", "1"), part("a", b"2"), part("f", b"", "2"))
    value, _ = await post(look, content=content, headers=BOUNDARY)
    assert value == (["1", "2"], ["1", "2"], ["f"], 1)


async def test_fields_nest_on_demand(post: Post) -> None:
    content = multipart(part("a[b]"))
    value, _ = await post(parsed, content=content, headers=BOUNDARY, form_depth=1)
    assert value == {"a": {"b": "1"}}


async def test_a_file_that_was_not_chosen_is_none(post: Post) -> None:
    content = multipart(part("f", b"", ""))
    value, _ = await post(lambda ctx: dict(ctx.request.files), content=content, headers=BOUNDARY)
    assert value == {}


@pytest.mark.parametrize(
    ("line", "content", "text"),
    [
        ("Content-Type: text/plain", b"\xc3\xa9", "é"),
        ("Content-Type: text/plain; charset=iso-8859-1", b"\xe9", "é"),
        ("Content-Type: text/plain", b"\xe9", "\ufffd"),
    ],
)
async def test_a_field_is_text_of_its_charset(
    post: Post, line: str, content: bytes, text: str
) -> None:
    data = multipart(part("a", content, None, line))
    assert dict((await post(parsed, content=data, headers=BOUNDARY))[0]) == {"a": text}


async def test_an_unknown_charset_of_a_field_is_415(post: Post) -> None:
    data = multipart(part("a", b"1", None, "Content-Type: text/plain; charset=punycode"))
    assert (await post(parsed, content=data, headers=BOUNDARY))[1].status == 415


async def test_form_is_the_same_each_time(post: Post) -> None:
    async def look(ctx: Context) -> Any:
        form = await ctx.request.form()
        return form is await ctx.request.form() is ctx.request.body, form.files["f"].name

    content = multipart(part("f", b"1", "1"))
    assert (await post(look, content=content, headers=BOUNDARY))[0] == (True, "f")


async def test_form_reads_what_was_not_parsed(post: Post) -> None:
    async def look(ctx: Context) -> Any:
        return ctx.request.body, dict(await ctx.request.form())

    for request in ({"form": {"a": "1"}}, {"content": multipart(part("a")), "headers": BOUNDARY}):
        value, _ = await post(look, **request, enable_types=["json"])
        assert value == ({}, {"a": "1"})


async def test_form_of_something_else_is_415(post: Post) -> None:
    async def look(ctx: Context) -> None:
        with pytest.raises(UnsupportedMediaType):
            await ctx.request.form()
        with pytest.raises(UnsupportedMediaType):
            await anext(aiter(ctx.request.parts()))

    assert (await post(look, json={}))[1].status == 200


async def test_form_has_limits_of_its_own_on_demand(post: Post) -> None:
    async def look(ctx: Context) -> None:
        with pytest.raises(PayloadTooLarge):
            await ctx.request.form(max_fields=1)

    content = multipart(part("a"), part("b"))
    await post(look, content=content, headers=BOUNDARY, enable_types=LAZY)


# --- parts as they arrive --------------------------------------------------------------------


async def test_parts_come_in_order(post: Post) -> None:
    content = multipart(part("a"), part("f", b"file", "f.txt"), part("b", b""))
    value, _ = await post(names_and_texts, content=content, headers=BOUNDARY, enable_types=LAZY)
    assert value == [("a", None, "1"), ("f", "f.txt", "file"), ("b", None, "")]


async def test_parts_are_given_before_the_next_is_sent(post: Post) -> None:
    head, tail = part("f", b"", "f").removesuffix(b"\r\n"), b"\r\n--x--\r\n"
    source = Source(head, *[b"x" * KIB] * 100, tail)

    async def look(ctx: Context) -> Any:
        taken: list[int] = []
        async for each in ctx.request.parts():
            async for piece in each:
                assert len(piece) <= 2 * KIB
                taken.append(source.taken)
        return taken[0], taken[50]

    value, _ = await post(look, content=source, headers=BOUNDARY, enable_types=LAZY)
    assert value[0] <= 3
    assert value[1] <= 54


async def test_what_nobody_reads_of_a_part_is_skipped(post: Post) -> None:
    async def look(ctx: Context) -> Any:
        parts = [each async for each in ctx.request.parts()]
        with pytest.raises(RuntimeError, match="part 'a' is gone"):
            await parts[0].read()
        return [each.name for each in parts]

    content = multipart(part("a", b"1" * 1000), part("b"))
    value, _ = await post(look, content=content, headers=BOUNDARY, enable_types=LAZY)
    assert value == ["a", "b"]


async def test_a_part_is_read_to_a_limit(post: Post) -> None:
    async def look(ctx: Context) -> None:
        async for each in ctx.request.parts():
            with pytest.raises(PayloadTooLarge):
                await each.read(limit=9)

    content = multipart(part("f", b"1" * 10, "f"))
    assert (await post(look, content=content, headers=BOUNDARY, enable_types=LAZY))[1].status == 200


async def test_parts_after_the_form_say_what_to_do(post: Post) -> None:
    async def look(ctx: Context) -> None:
        with pytest.raises(RuntimeError, match="enable_types"):
            await anext(aiter(ctx.request.parts()))

    await post(look, content=multipart(part("a")), headers=BOUNDARY)


@pytest.mark.parametrize("kinds", [["json"], ["json", "form"]])
async def test_an_urlencoded_form_has_no_parts(post: Post, kinds: list[str]) -> None:
    async def look(ctx: Context) -> None:
        async for _ in ctx.request.parts():
            raise AssertionError

    _, response = await post(look, form={"a": "1"}, enable_types=kinds)
    assert (response.status, response.text) == (415, "The body is no multipart form")


async def test_limits_of_one_request_are_checked_too(post: Post) -> None:
    async def look(ctx: Context) -> None:
        with pytest.raises(TypeError, match="form_limit is an int"):
            await ctx.request.form(form_limit="1mb")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"form\(\) got an unexpected .* 'limit'"):
            await ctx.request.form(limit=1)  # type: ignore[call-arg]

    _, response = await post(look, form={"a": "1"}, enable_types=["json"])
    assert response.status == 200


async def test_a_form_after_parts_is_an_error(post: Post) -> None:
    async def look(ctx: Context) -> None:
        await names_and_texts(ctx)
        with pytest.raises(RuntimeError, match="already read"):
            await ctx.request.form()

    await post(look, content=multipart(part("a")), headers=BOUNDARY, enable_types=LAZY)


async def test_a_large_upload_needs_no_limit_when_it_is_streamed(post: Post) -> None:
    async def look(ctx: Context) -> int:
        sizes = 0
        async for each in ctx.request.parts(multipart_limit=None, max_file_size=None):
            async for piece in each:
                sizes += len(piece)
        return sizes

    head, tail = part("f", b"", "f").removesuffix(b"\r\n"), b"\r\n--x--\r\n"
    source = Source(head, *[bytes(MIB)] * 70, tail)
    value, _ = await post(look, content=source, headers=BOUNDARY, enable_types=LAZY)
    assert value == 70 * MIB


# --- files on the disk -----------------------------------------------------------------------


async def test_a_small_file_stays_in_memory(post: Post) -> None:
    content = multipart(part("f", b"x" * 64 * KIB, "f"))
    value, _ = await post(
        lambda ctx: ctx.request.files["f"].path, content=content, headers=BOUNDARY
    )
    assert value is None


async def test_a_larger_one_lies_on_the_disk_under_a_random_name(
    post: Post, tmp_path: Path
) -> None:
    data = bytes(range(256)) * 4 * KIB

    async def look(ctx: Context) -> Any:
        upload = ctx.request.files["f"]
        assert upload.path is not None
        pieces = [piece async for piece in upload]
        assert b"".join(pieces) == data == await upload.read()
        return upload.path, upload.path.stat().st_mode & 0o777, len(pieces), upload.size

    content = multipart(part("f", data, "../../f.txt"))
    (path, mode, pieces, size), _ = await post(
        look, content=content, headers=BOUNDARY, upload_dir=tmp_path
    )
    assert (path.parent, mode, pieces, size) == (tmp_path, 0o600, 4, MIB)
    assert path.name.startswith("ohia-")
    assert "f.txt" not in path.name
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("data", [b"x" * 100 * KIB, b"x"], ids=["on the disk", "in memory"])
async def test_a_saved_file_survives_the_request(post: Post, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "new").write_bytes(b"what was there")

    async def look(ctx: Context) -> Any:
        upload = ctx.request.files["f"]
        with pytest.raises(IsADirectoryError):
            await upload.save(tmp_path)
        new = await upload.save(tmp_path / "new")
        copy = await upload.save(str(tmp_path / "copy"))
        return new, copy, upload.path, await upload.read()

    content = multipart(part("f", data, "f"))
    value, _ = await post(look, content=content, headers=BOUNDARY, upload_dir=tmp_path)
    assert value == (tmp_path / "new", tmp_path / "copy", tmp_path / "copy", data)
    assert contents(tmp_path) == {"new": data, "copy": data}


async def test_an_in_chain_stream_may_send_an_upload_back(tmp_path: Path) -> None:
    app = Ohia(env="test")
    app.use(body(upload_dir=tmp_path, spool_size=0))

    @app.use
    async def echo(ctx: Context) -> None:
        async with ctx.stream() as out:
            async for piece in ctx.request.files["f"]:
                await out.write(piece)

    async with Client(app) as client:
        response = await client.post("/", content=multipart(part("f", b"x", "f")), headers=BOUNDARY)
    assert response.content == b"x"
    assert contents(tmp_path) == {}


async def test_an_error_leaves_no_file_behind(post: Post, tmp_path: Path) -> None:
    content = part("f", b"x" * MIB, "f") + b"--x"
    options = {"headers": BOUNDARY, "upload_dir": tmp_path}
    assert (await post(parsed, content=content, **options))[1].status == 400
    assert contents(tmp_path) == {}


async def test_a_client_that_goes_leaves_no_file_behind(tmp_path: Path) -> None:
    seen: list[int] = []

    async def cut() -> AsyncIterator[bytes]:
        yield part("f", b"x" * MIB, "f")
        while not seen:
            seen.extend(len(content) for content in contents(tmp_path).values())
            await asyncio.sleep(0)
        raise ConnectionResetError

    app = Ohia(env="test")
    app.use(body(upload_dir=tmp_path))
    async with Client(app) as client:
        with pytest.raises(ConnectionError):
            await client.post("/", content=cut(), headers=BOUNDARY)
    assert seen
    assert contents(tmp_path) == {}


class CountingThreads(ThreadPoolExecutor):
    """Threads that count what they are given."""

    count = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.count += 1
        return super().submit(fn, *args, **kwargs)


async def test_files_are_written_in_threads_and_in_batches(post: Post, tmp_path: Path) -> None:
    threads = CountingThreads(max_workers=1)
    asyncio.get_running_loop().set_default_executor(threads)
    head, tail = part("f", b"", "f").removesuffix(b"\r\n"), b"\r\n--x--\r\n"
    source = Source(head, *[b"x" * 100] * 20_000, tail)  # 2 MB

    async def look(ctx: Context) -> int:
        return ctx.request.files["f"].size

    options = {"headers": BOUNDARY, "upload_dir": tmp_path}
    assert (await post(look, content=source, **options))[0] == 2_000_000
    assert 8 <= threads.count <= 12  # 64 KiB first, then 256 KiB each, the rest, the removal


async def test_the_loop_runs_on_while_a_file_is_written(tmp_path: Path) -> None:
    in_loop = threading.get_ident()
    writers: list[int] = []

    class Threads(ThreadPoolExecutor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            def run() -> Any:
                writers.append(threading.get_ident())
                done = fn(*args, **kwargs)
                turned = threading.Event()  # set by the loop, which must be free for it
                loop.call_soon_threadsafe(turned.set)
                assert turned.wait(10)
                return done

            return super().submit(run)

    loop = asyncio.get_running_loop()
    loop.set_default_executor(Threads(max_workers=1))
    app = Ohia(env="test")
    app.use(body(upload_dir=tmp_path))
    app.use(lambda ctx: setattr(ctx, "body", "done"))
    async with Client(app) as client:
        content = multipart(part("f", b"x" * MIB, "f"))
        assert (await client.post("/", content=content, headers=BOUNDARY)).text == "done"
    assert len(writers) >= 4
    assert in_loop not in writers


async def test_a_cancellation_waits_for_the_disk(tmp_path: Path) -> None:
    started, go = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    class Threads(ThreadPoolExecutor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            def run() -> Any:
                loop.call_soon_threadsafe(started.set)
                assert go.wait(10)
                return fn(*args, **kwargs)

            return super().submit(run)

    loop.set_default_executor(Threads(max_workers=1))
    app = Ohia(env="test")

    @app.use
    async def cancel(ctx: Context, next: Next) -> None:
        task = asyncio.ensure_future(next())
        await started.wait()
        task.cancel()
        loop.call_soon(go.set)
        with pytest.raises(asyncio.CancelledError):
            await task
        ctx.body = f"{len(contents(tmp_path))} written"

    app.use(body(upload_dir=tmp_path))
    async with Client(app) as client:
        content = multipart(part("f", b"x" * MIB, "f"))
        assert (await client.post("/", content=content, headers=BOUNDARY)).text == "1 written"
    assert contents(tmp_path) == {}


async def test_a_file_in_memory_comes_in_pieces_too(post: Post) -> None:
    async def look(ctx: Context) -> Any:
        return [[piece async for piece in each] for each in ctx.request.files.uploads()]

    content = multipart(part("f", b"1", "f"), part("g", b"", "g"))
    assert (await post(look, content=content, headers=BOUNDARY))[0] == [[b"1"], []]


async def test_they_show_what_they_are(post: Post) -> None:
    async def look(ctx: Context) -> Any:
        parts = [repr(each) async for each in ctx.request.parts()]
        return repr(ctx.request.files), parts

    content = multipart(part("f", b"1", "../f"))
    value, _ = await post(look, content=content, headers=BOUNDARY, enable_types=LAZY)
    assert value == ("Files([])", ["<Part 'f' 'f'>"])
    value, _ = await post(lambda ctx: repr(ctx.request.body), content=content, headers=BOUNDARY)
    assert value == "Form([], [<Upload 'f' 'f' 1 bytes>])"


@pytest.mark.parametrize(
    ("given_name", "offered"),
    [
        ("../../x", "x"),
        ("/etc/x", "x"),
        ("..\\\\x", "x"),
        ("CON", "_CON"),
        ("a\0b", "ab"),
        ("x" * 3900, "x" * 255),
        ("x%22%0D%0AY: z", "x_Y_ z"),
        ("€.txt", "€.txt"),
    ],
)
async def test_a_name_is_only_data(
    post: Post, tmp_path: Path, given_name: str, offered: str
) -> None:
    def look(ctx: Context) -> Any:
        upload = ctx.request.files["f"]
        assert upload.path is not None
        return upload.filename, upload.path.parent, upload.path.name[:5], len(upload.path.name)

    content = multipart(part("f", b"12", given_name))
    value, _ = await post(
        look, content=content, headers=BOUNDARY, upload_dir=tmp_path, spool_size=1
    )
    assert value == (offered, tmp_path, "ohia-", 37)


# --- limits ----------------------------------------------------------------------------------


def many(content: bytes) -> Sequence[bytes]:
    return [content] * 1000


@pytest.mark.parametrize(
    ("pieces", "options", "most"),
    [
        (many(part("a", b"") * 100), {}, 13),  # 100,000 empty parts
        (many(part("f", b"", "f") * 100), {}, 4),
        ([b'--x\r\nContent-Disposition: form-data; name="a"\r\nX: ', *many(b"x" * KIB)], {}, 8),
        ([b'--x\r\nContent-Disposition: form-data; name="a"\r\n', *many(b"X: y\r\n" * 10)], {}, 4),
        (many(part("a", b"x" * 10 * KIB)), {}, 110),  # each is small, together they are not
        (many(part("f", b"x" * 100 * KIB, "f")), {"max_files": None}, 660),
        ([part("f", b"", "f")[:-2], *many(b"x" * 100 * KIB)], {}, 335),
        (many(part("a")), {"max_fields": 10}, 14),
        (many(part("f", b"", "f")), {"max_files": 10}, 14),
        (many(part("a", b"x" * 100)), {"max_fields_size": 1000}, 14),
        (many(part("f", b"x" * 100, "f")), {"multipart_limit": 1000}, 14),
        ([part("f", b"", "f")[:-2], *many(b"x" * 100)], {"max_file_size": 1000}, 15),
        (many(part("a", b"1", None, "X: 1", "Y: 2")), {"max_part_headers": 2}, 3),
        (many(part("a" * 100)), {"max_part_header_size": 100}, 3),
    ],
)
async def test_too_much_is_413_and_the_rest_is_not_read(
    post: Post, tmp_path: Path, pieces: Sequence[bytes], options: dict[str, Any], most: int
) -> None:
    source = Source(*pieces, b"--x--\r\n")
    _, response = await post(
        parsed, content=source, headers=BOUNDARY, upload_dir=tmp_path, **options
    )
    assert response.status == 413
    assert source.taken <= most + 1
    assert contents(tmp_path) == {}


async def test_a_length_that_is_too_large_is_refused_unread(post: Post) -> None:
    source = Source(b"x")
    length = {"Content-Length": f"{64 * MIB + 1}", "Transfer-Encoding": None}
    _, response = await post(parsed, content=source, headers={**BOUNDARY, **length})
    assert (response.status, source.taken) == (413, 0)


async def test_the_same_limits_hold_for_parts(post: Post) -> None:
    source = Source(*many(part("a", b"x" * 10 * KIB)))
    _, response = await post(names_and_texts, content=source, headers=BOUNDARY, enable_types=LAZY)
    assert response.status == 413
    assert source.taken <= 110


# --- what is malformed -----------------------------------------------------------------------

HEAD = b'--x\r\nContent-Disposition: form-data; name="a"\r\n'


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nothing",
        part("a"),  # no end
        part("a") + b"--x",
        multipart(part("a"))[:-4],
        HEAD,
        b"--x\r\n\r\nno name\r\n--x--\r\n",
        b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name=""\r\n\r\n1\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: attachment; name="a"\r\n\r\n1\r\n--x--\r\n',
        HEAD + b"no colon\r\n\r\n1\r\n--x--\r\n",
        HEAD + b"B\xc3\xa4d: 1\r\n\r\n1\r\n--x--\r\n",
        HEAD + b"X: \xff\r\n\r\n1\r\n--x--\r\n",
        HEAD + HEAD[5:] + b"\r\n1\r\n--x--\r\n",  # two dispositions
        HEAD + b"Content-Transfer-Encoding: base64\r\n\r\nMQ==\r\n--x--\r\n",
        HEAD + b"Content-Length: 5\r\n\r\n1\r\n--x--\r\n",
        HEAD + b"\r\n1\r\n--xy\r\n",
        HEAD + b"X: 1\r\n 2\r\n\r\n1\r\n--x--\r\n",  # folded, which is dear to read
        HEAD + b"X: 1\r\n\t2\r\n\r\n1\r\n--x--\r\n",
        HEAD.replace(b"\r\n", b"\n") + b"\n1\n--x--\n",
    ],
)
async def test_a_malformed_form_is_400(post: Post, content: bytes) -> None:
    _, response = await post(parsed, content=content, headers=BOUNDARY)
    assert response.status == 400


@pytest.mark.parametrize(
    "boundary",
    ["", "; boundary=", '; boundary=""', f"; boundary={'x' * 1024}", '; boundary="a\tb"', "; b=x"],
)
async def test_no_boundary_or_a_strange_one_is_400(post: Post, boundary: str) -> None:
    headers = {"Content-Type": f"multipart/form-data{boundary}"}
    _, response = await post(parsed, content=multipart(part("a")), headers=headers)
    assert response.status == 400


async def test_parsing_stops_at_the_first_malformed_part(post: Post) -> None:
    source = Source(*many(b"--x\r\nmalformed\r\n\r\n1\r\n"))
    _, response = await post(parsed, content=source, headers=BOUNDARY)
    assert response.status == 400
    assert source.taken <= 3


@pytest.mark.parametrize(
    "filler",
    [b"\r" * KIB, b"\r\n" * 512, b"\r\n--" * 256, b"x" * KIB],
    ids=["CR", "CRLF", "almost boundaries", "plain"],
)
@pytest.mark.parametrize("place", ["preamble", "part", "epilogue"])
async def test_runs_of_line_ends_are_read_piece_by_piece(
    post: Post, filler: bytes, place: str
) -> None:
    head, tail = part("f", b"", "f").removesuffix(b"\r\n"), b"\r\n--x--"
    fillers = [filler] * 8 * KIB  # 8 MiB
    pieces = {
        "preamble": [*fillers, b"\r\n", head, tail],
        "part": [head, *fillers, tail],
        "epilogue": [head, tail, *fillers],
    }[place]
    held = 0

    async def look(ctx: Context) -> int:
        nonlocal held
        total = 0
        async for each in ctx.request.parts():
            async for piece in each:
                held = max(held, len(piece))
                total += len(piece)
        return total

    value, response = await post(look, content=Source(*pieces), headers=BOUNDARY, enable_types=LAZY)
    assert response.status == 200
    assert value == (8 * MIB if place == "part" else 0)
    assert held <= 2 * KIB


@given(cuts=st.lists(st.integers(1, 400), max_size=6), data=st.data())
async def test_pieces_may_be_cut_anywhere(cuts: list[int], data: Any) -> None:
    content = multipart(part("a", b"\r\n--y\r"), part("f", b"\r\n-" * 9, "f"), part("b", b""))
    places = sorted({min(cut, len(content)) for cut in cuts} | {0, len(content)})
    source = Source(*[content[i:j] for i, j in pairwise(places)])
    seen: list[Any] = []
    app = Ohia(env="test")
    app.use(body(enable_types=LAZY))

    @app.use
    async def handler(ctx: Context) -> None:
        seen.extend([(each.name, await each.read()) async for each in ctx.request.parts()])

    async with Client(app) as client:
        await client.post("/", content=source, headers=BOUNDARY)
    assert seen == [("a", b"\r\n--y\r"), ("f", b"\r\n-" * 9), ("b", b"")]


@given(st.binary(max_size=300))
async def test_no_bytes_fail_in_an_unforeseen_way(content: bytes) -> None:
    app = Ohia(env="test")
    app.use(body())
    app.use(lambda ctx: setattr(ctx, "body", "done"))
    async with Client(app) as client:
        for start in (b"", b"--x\r\n", HEAD, HEAD + b"\r\n"):
            response = await client.post("/", content=start + content, headers=BOUNDARY)
            assert response.status in {200, 400, 413, 415}
