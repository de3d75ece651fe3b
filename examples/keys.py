"""Signed cookies: a list of keys, the newest first.

The first key signs, every key verifies, so keys can be rotated: put a new one in front, and drop
the last one when nothing that it signed is wanted any more.
"""

from ohia import Ohia

app = Ohia()
app.keys = ["im a newer secret", "i like turtle"]


@app.use
async def remember(ctx):
    before = ctx.cookies.get("name", signed=True)
    ctx.cookies.set("name", "tobi", signed=True)
    ctx.body = f"Hello again, {before}" if before else "Hello, stranger"


if __name__ == "__main__":
    app.run()
