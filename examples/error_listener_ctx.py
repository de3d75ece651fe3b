"""A listener for "error" that also takes the context: which request failed, and how far it was.

The second answer has begun when the error comes, so its connection is cut: a client must never
take half an answer for a whole one.
"""

import logging

from ohia import Ohia

app = Ohia()
log = logging.getLogger("shop")


@app.on("error")
def report(err, ctx):
    log.error("server error: %r at %s %s, sent: %s", err, ctx.method, ctx.url, ctx.header_sent)


@app.use
async def fail(ctx):
    if ctx.path == "/late":
        async with ctx.stream() as out:
            await out.write("the first half, then ")
            raise RuntimeError("too late for a 500")
    raise RuntimeError("early enough for a 500")


if __name__ == "__main__":
    app.run()
