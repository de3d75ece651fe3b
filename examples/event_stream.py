"""Server-sent events: written inside the chain, for as long as the client stays."""

import asyncio

from ohia import Ohia

app = Ohia()


@app.use
async def count(ctx):
    ctx.type = "text/event-stream"
    ctx.set("Cache-Control", "no-store")
    number = 0
    async with ctx.stream() as out:  # leaves by ClientDisconnect when the client goes
        while not app.draining:
            number += 1
            await out.write(f"data: {number}\n\n")
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    app.run()
