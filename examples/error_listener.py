"""A listener for "error" takes the place of the report on stderr: central logging, say."""

import logging

from ohia import Ohia

app = Ohia()
log = logging.getLogger("shop")


@app.on("error")
def report(err):
    log.error("server error: %r", err)


@app.use
async def fail(ctx):
    raise RuntimeError(f"no {ctx.path} today")


if __name__ == "__main__":
    app.run()
