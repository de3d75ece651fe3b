"""Tests of an application: no server, no port, no waiting. pytest runs the same functions."""

import asyncio

import pytest

from ohia import Ohia
from ohia.testing import Client, UpgradeRefused

app = Ohia(keys=["i like turtle"])


@app.use
async def login(ctx, next):
    if ctx.path == "/login":
        ctx.cookies.set("user", "tobi")
        ctx.body = "Hello tobi"
    else:
        await next()


@app.use
async def live(ctx):
    user = ctx.cookies.get("user")
    ctx.assert_(user, 401, "Log in first")  # noqa: PT009 - no unittest
    socket = await ctx.upgrade()
    await socket.send(f"Hello {user}, live")


async def test_a_stranger_gets_no_socket():
    async with Client(app) as client:
        with pytest.raises(UpgradeRefused) as refused:
            async with client.websocket("/"):
                pass
        assert refused.value.response.status == 401
        assert refused.value.response.text == "Log in first"


async def test_who_logged_in_gets_the_socket():
    async with Client(app) as client:
        response = await client.get("/login")
        assert response.cookies["user"] == "tobi"
        async with client.websocket("/") as socket:
            assert await socket.receive() == "Hello tobi, live"


if __name__ == "__main__":
    for test in (test_a_stranger_gets_no_socket, test_who_logged_in_gets_the_socket):
        asyncio.run(test())
        print("ok", test.__name__)
