"""All of the bundled middleware in one chain, for requests, streams and sockets alike.

Few applications need all of it; the order is the one that works. What tells of a request stands
first, then what may refuse it, then what changes answers, then what gives them.
"""

import os
import secrets
from pathlib import Path

from ohia import Ohia
from ohia.middleware.asgi import asgi
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
from ohia.middleware.secure import NONCE, secure
from ohia.middleware.send import send
from ohia.middleware.session import session
from ohia.middleware.sse import sse
from ohia.middleware.static import static
from ohia.middleware.timeout import timeout
from ohia.middleware.vhost import vhost
from ohia.middleware.views import views
from ohia.middleware.wsgi import wsgi

HERE = Path(__file__).parent
PARTNER = "https://partner.example"

app = Ohia(name="everything", keys=[os.environ.get("SECRET") or secrets.token_hex()])
admin = Ohia(name="admin")
router = Router()


class PoweredBy:
    """ASGI middleware, as others write it."""

    def __init__(self, application):
        self.application = application

    async def __call__(self, scope, receive, send):
        """Name ohia in each answer."""

        async def named(message):
            if message["type"] in {"http.response.start", "websocket.accept"}:
                message["headers"] = [*message.get("headers", ()), (b"x-powered-by", b"ohia")]
            await send(message)

        await self.application(scope, receive, named)


async def asgi_application(scope, receive, send):
    """Stand for Starlette, FastAPI or Django."""
    if scope["type"] == "lifespan":
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ASGI says hello"})


def wsgi_application(environ, start_response):
    """Stand for Flask."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"WSGI says hello to {environ['REQUEST_METHOD']}".encode()]


app.use(
    response_time(),
    request_id(),
    logger("tiny"),
    error_pages(),
    secure(content_security_policy={"script-src": ["'self'", NONCE]}),
    cors(origin=PARTNER),
    rate_limit("1000/minute"),
    compress(),
    conditional(),
    etag(),
    pretty_json(),
    timeout(10),
    favicon(),
    mount("/files", static(HERE / "public", max_age=3600)),
    session(),
    body(),
    method_override(),
    csrf(origins=[PARTNER]),
    views(HERE / "views"),
    sse(),
    mount("/asgi", asgi(asgi_application)),
    mount("/wsgi", wsgi(wsgi_application)),
    mount("/admin", basic_auth(name="tobi", password="ferret")),  # noqa: S106 - a sample
    mount("/admin", admin),
    vhost("admin.localhost", admin),
    asgi_middleware(PoweredBy),
    router,
)


@admin.use
async def dashboard(ctx):
    ctx.body = f"{ctx.app.name} at {ctx.mount_path or ctx.host}"


@router.get("/")
async def page(ctx):
    ctx.session["visits"] = ctx.session.get("visits", 0) + 1
    await ctx.render("page", name="Tobi", visits=ctx.session["visits"], nonce=ctx.csp_nonce)


@router.get("/ferrets/:number:int", name="ferret")
async def ferret(ctx):
    ctx.body = {"number": ctx.params["number"], "url": router.url_for("ferret", number=1)}


@router.delete("/ferrets/:number:int")
async def remove(ctx):
    ctx.status = 204


@router.get("/readme")
async def readme(ctx):
    await send(ctx, "README.md", root=HERE)


@router.post("/upload")
async def upload(ctx):
    file = ctx.request.files["file"]
    ctx.body = {"name": file.filename, "size": file.size, "note": ctx.request.body.get("note")}


@router.get("/count")
async def count(ctx):
    ctx.type = "text"
    async with ctx.stream() as out:
        for number in range(3):
            await out.write(f"{number}\n")
            await out.flush()


@router.get("/events")
async def events(ctx):
    async with ctx.sse() as stream:
        for number in range(3):
            await stream.send({"number": number}, id=number)


@router.get("/socket")
async def echo(ctx):
    ctx.session["socket"] = True
    socket = await ctx.upgrade()
    async for message in socket:
        await socket.send(message)


@router.get("/fault")
async def fault(ctx):
    raise LookupError(f"no {ctx.path} today")


if __name__ == "__main__":
    app.run(access_log=False)  # logger() above writes the lines
