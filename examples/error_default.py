"""Without a listener an error goes to stderr, and the client gets a plain 500."""

from ohia import Ohia

app = Ohia()


@app.use
async def fail(ctx):
    raise RuntimeError(f"no {ctx.path} today")


if __name__ == "__main__":
    app.run()
