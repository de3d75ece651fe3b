"""What each bundled middleware adds to a hello: `python benchmarks/middleware.py [--json]`.

Microseconds of CPU time per request, in memory, from the bytes of a request to those of its
answer; the least of several rounds. Each middleware stands alone above the hello, with the
options that it has by itself; last come all of them, as `examples/everything.py` orders them.
The lines of logs go to stderr.
"""

# ruff: noqa: T201 - it tells whoever waits

import json
import sys
import time
from pathlib import Path
from tempfile import gettempdir

import uvloop

from ohia import Ohia
from ohia.middleware.asgi_middleware import asgi_middleware
from ohia.middleware.basic_auth import basic_auth
from ohia.middleware.body import body
from ohia.middleware.compress import compress
from ohia.middleware.conditional import conditional
from ohia.middleware.cors import cors
from ohia.middleware.csrf import csrf
from ohia.middleware.error_pages import error_pages
from ohia.middleware.etag import etag
from ohia.middleware.favicon import favicon
from ohia.middleware.logger import logger
from ohia.middleware.method_override import method_override
from ohia.middleware.mount import mount
from ohia.middleware.pretty_json import pretty_json
from ohia.middleware.rate_limit import rate_limit
from ohia.middleware.request_id import request_id
from ohia.middleware.response_time import response_time
from ohia.middleware.router import Router
from ohia.middleware.secure import secure
from ohia.middleware.session import session
from ohia.middleware.sse import sse
from ohia.middleware.static import static
from ohia.middleware.timeout import timeout
from ohia.middleware.vhost import vhost
from ohia.middleware.views import views

sys.path.insert(0, str(Path(__file__).parent / "guard"))
from clients import HttpClient

ROUNDS = 7
REQUESTS = 1500
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost:3000\r\nUser-Agent: benchmark\r\nAccept: */*\r\n"
    b"Accept-Encoding: gzip, br, zstd\r\nAuthorization: Basic dG9iaTpmZXJyZXQ=\r\n\r\n"
)
ANSWER = b"Hello World"
ALONE, ALL = "hello alone", "all of them"
OTHER = Ohia()
FOLDER = gettempdir()


async def hello(ctx):
    ctx.body = "Hello World"


def plain(application):
    return application


def routed():
    router = Router()
    router.get("/", hello)
    return router


# In the order of a real chain.
MIDDLEWARE = {
    "response_time": response_time,
    "request_id": request_id,
    "logger": lambda: logger("tiny"),
    "error_pages": error_pages,
    "secure": secure,
    "cors": cors,
    "rate_limit": lambda: rate_limit("1000000/second"),
    "compress": compress,
    "conditional": conditional,
    "etag": etag,
    "pretty_json": pretty_json,
    "timeout": lambda: timeout(10),
    "favicon": favicon,
    "mount, another path": lambda: mount("/files", static(FOLDER)),
    "session, not looked at": session,
    "body, none there": body,
    "method_override": method_override,
    "csrf": csrf,
    "views": lambda: views(FOLDER),
    "sse": sse,
    "basic_auth": lambda: basic_auth(name="tobi", password="ferret"),  # noqa: S106 - made up
    "vhost, another host": lambda: vhost("admin.localhost", OTHER),
    "asgi_middleware": lambda: asgi_middleware(plain),
    "router, answering": routed,
}


async def microseconds(*middleware):
    """Return the CPU time of one request through `middleware`."""
    app = Ohia(env="production", keys=["a secret"])
    app.use(*middleware, hello)
    client = HttpClient(app)
    await client.open()
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(REQUESTS):
            await client.ask([REQUEST], b"HTTP/1.1 200", ANSWER)
        best = min(best, (time.process_time() - start) / REQUESTS)
    await client.close()
    return best * 1e6


async def measure():
    """Return the microseconds of a hello: alone, below each middleware, below all of them."""
    found = {ALONE: await microseconds()}
    for name, make in MIDDLEWARE.items():
        found[name] = await microseconds(make())
    found[ALL] = await microseconds(*(make() for make in MIDDLEWARE.values()))
    return found


def main():
    found = uvloop.run(measure())
    if "--json" in sys.argv:
        print(json.dumps(found))
        return
    for name, cost in found.items():
        is_whole = name in {ALONE, ALL}
        print(f"{name:24}{cost:8.1f}" if is_whole else f"{name:24}{cost - found[ALONE]:+8.1f}")


if __name__ == "__main__":
    main()
