import os
import subprocess
import sys
from pathlib import Path

import pytest

import ohia
from ohia.late import LATE

APPLICATION = """
import asyncio, sys
from ohia import Keygrip, Ohia

app = Ohia(keys=["secret"], proxy=1)


@app.use
async def everything(ctx):
    asked = [ctx.query, ctx.ip, ctx.URL, ctx.host, ctx.subdomains, ctx.accepts("html")]
    ctx.query = {"page": 1.5}
    ctx.cookies.set("name", "value")
    ctx.cookies.get("name", signed=True)
    ctx.last_modified
    if ctx.path == "/redirect":
        ctx.redirect("https://b.example/", local=False)
        ctx.back()
    elif ctx.path == "/file":
        ctx.attachment("\\u20ac.txt")
        ctx.body = open(__file__, "rb")
    elif ctx.path == "/json":
        ctx.body = {"body": await ctx.request.json(), "asked": str(asked)}
    else:
        ctx.throw(418)


def request(path):
    return (
        f"POST {path}?a=%20b HTTP/1.1\\r\\nHost: a.example.com\\r\\nContent-Length: 2\\r\\n"
        "Cookie: name=value; name.sig=x\\r\\nX-Forwarded-For: 1.2.3.4, [::1]:80\\r\\n"
        "Referer: http://a.example.com/there\\r\\nContent-Type: application/json\\r\\n"
        "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\\r\\nConnection: close\\r\\n\\r\\n[]"
    ).encode()


PATHS = ("/redirect", "/file", "/json", "/teapot")
"""

SERVER = """
async def ask(port, path):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(path))
    answer = await reader.read()
    writer.close()
    return answer.split()[1].decode()


async def main():
    async with app.listen(0, access_log=True) as server:
        loaded = set(sys.modules)
        statuses = [await ask(server.port, path) for path in PATHS]
    print(*statuses, *sorted(set(sys.modules) - loaded))


asyncio.run(main())
"""

ASGI = """
async def ask(path):
    sent = []
    bodies = [b"[]"]

    async def receive():
        if not bodies:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": bodies.pop()}

    async def send(message):
        sent.append(message)

    lines = request(path).decode().split("\\r\\n")[1:-2]
    headers = [tuple(map(str.encode, line.lower().split(": ", 1))) for line in lines]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"a=%20b"}
    await app(scope | {"headers": headers, "client": ("127.0.0.1", 1)}, receive, send)
    return sent[0]["status"]


async def main():
    messages = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive():
        return {"type": next(messages)}

    async def send(message):
        if message["type"] == "lifespan.startup.complete":
            loaded = set(sys.modules)
            statuses = [await ask(path) for path in PATHS]
            print(*statuses, *sorted(set(sys.modules) - loaded))

    await app({"type": "lifespan"}, receive, send)


asyncio.run(main())
"""


def output_of(program: str, folder: Path) -> list[str]:
    """Run `program` in a new interpreter; return the words that it prints."""
    file = folder / "program.py"
    file.write_text(program)
    # What measures coverage would load modules of its own.
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    ran = subprocess.run(  # noqa: S603 - a program of ours
        [sys.executable, str(file)], capture_output=True, text=True, check=False, env=env
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


def test_importing_ohia_leaves_for_later_what_not_every_program_needs(tmp_path: Path) -> None:
    loaded = set(output_of("import ohia, sys\nprint(*sys.modules)", tmp_path))
    others = {"httptools", "ohia.adapters", "ohia.server", "uvloop", "websockets"}
    assert not loaded & {*LATE, *others}


@pytest.mark.parametrize("serve", [SERVER, ASGI], ids=["listen", "asgi"])
def test_no_request_waits_for_an_import(serve: str, tmp_path: Path) -> None:
    assert output_of(APPLICATION + serve, tmp_path) == ["302", "200", "200", "418"]


def test_a_server_loads_its_sockets_but_no_multiprocessing(tmp_path: Path) -> None:
    program = "import ohia, sys\nohia.run, ohia.Server\nprint(*sys.modules)"
    loaded = set(output_of(program, tmp_path))
    assert "ohia.server.connection" in loaded
    assert "multiprocessing" not in loaded
    assert "ohia.server.websocket" in loaded  # no first socket waits for it


def test_every_public_name_is_there() -> None:
    assert all(hasattr(ohia, name) for name in ohia.__all__)
    with pytest.raises(AttributeError, match="module 'ohia' has no attribute 'serve'"):
        ohia.serve  # type: ignore[attr-defined]  # noqa: B018 - the mistake in question
