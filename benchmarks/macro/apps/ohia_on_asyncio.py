"""Ohia on its own server, in the loop that comes with Python."""

import asyncio

from ohia_app import app


async def main():
    async with app.listen(access_log=False) as server:
        await server.wait_closed()


asyncio.run(main())
