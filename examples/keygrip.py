"""Signed cookies by a Keygrip of one's own: here with SHA-256 instead of SHA-1."""

from ohia import Keygrip, Ohia

app = Ohia()
app.keys = Keygrip(["im a newer secret", "i like turtle"], "sha256")


@app.use
async def remember(ctx):
    before = ctx.cookies.get("name", signed=True)
    ctx.cookies.set("name", "tobi", signed=True)
    ctx.body = f"Hello again, {before}" if before else "Hello, stranger"


if __name__ == "__main__":
    app.run()
