"""Forms with files, as browsers write them."""

from typing import Any

import pytest

from ohia import Context, Ohia
from ohia.middleware.body import body
from ohia.testing import Client
from ohia.testing.multipart import render_multipart


async def received(**options: Any) -> Any:
    """Return what an application reads of a form: its fields, its files."""
    app = Ohia(env="test")
    app.use(body())

    @app.use
    async def look(ctx: Context) -> None:
        files = [
            [file.filename, file.type, (await file.read()).decode()]
            for file in ctx.request.files.uploads()
        ]
        form = ctx.request.body
        ctx.body = [{name: form.get_all(name) for name in form}, files]

    async with Client(app) as client:
        return (await client.post("/", **options)).json()


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("hello", ["file", "application/octet-stream", "hello"]),
        (b"hello", ["file", "application/octet-stream", "hello"]),
        (("a.txt", b"hello"), ["a.txt", "application/octet-stream", "hello"]),
        (("a.txt", "h\u00e9llo", "text/plain"), ["a.txt", "text/plain", "h\u00e9llo"]),
        (("a.txt", ""), ["a.txt", "application/octet-stream", ""]),
    ],
)
async def test_a_file_is_sent(file: Any, expected: list[str]) -> None:
    assert await received(files={"photo": file}) == [{}, [expected]]


async def test_fields_come_before_several_files_of_one_name() -> None:
    fields, files = await received(
        form={"name": "tobi", "tags": ["a", "b"]},
        files={"photos": [("a.txt", "1"), ("b.txt", "2")], "other": ("c.txt", "3")},
    )
    assert fields == {"name": ["tobi"], "tags": ["a", "b"]}
    assert [file[0] for file in files] == ["a.txt", "b.txt", "c.txt"]


def test_a_name_cannot_end_its_quotes() -> None:
    _, content = render_multipart([('a"\r\nX: 1', 1)], {"f": ('"\n.txt', b"")})
    assert b'name="a%22%0D%0AX: 1"\r\n\r\n1\r\n' in content
    assert b'name="f"; filename="%22%0A.txt"\r\n' in content


async def test_a_form_with_files_is_one_body() -> None:
    async with Client(Ohia()) as client:
        with pytest.raises(TypeError, match="one body: json, form with files, or content"):
            await client.post("/", json={}, files={"a": b""})
