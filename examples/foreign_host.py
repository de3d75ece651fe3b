"""An application mounted in a foreign framework: anything that speaks ASGI can call it.

The host here is a bare ASGI application of its own. In Starlette or FastAPI it is one line:

    Starlette(routes=[Mount("/blog", app=blog.callback())])

A host that forwards no lifespan starts the guest's by hand, as below.
"""

import os

import uvicorn

from ohia import Ohia

blog = Ohia()


@blog.use
async def posts(ctx):
    ctx.body = {"mounted at": ctx.mount_path, "path": ctx.path, "url": ctx.original_url}


guest = blog.callback()


async def host(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["path"].startswith("/blog/"):
        await guest({**scope, "root_path": "/blog"}, receive, send)
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"Hello from the host"})


async def lifespan(receive, send):
    await receive()
    async with blog.lifespan_context():
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


if __name__ == "__main__":
    uvicorn.run(host, port=int(os.environ.get("PORT", "3000")), proxy_headers=False)
