"""An upload of any size: read piece by piece, never held in memory."""

from hashlib import sha256

from ohia import Ohia

app = Ohia()


@app.use
async def digest(ctx):
    digest, size = sha256(), 0
    async for piece in ctx.request.stream():
        digest.update(piece)
        size += len(piece)
    ctx.body = {"bytes": size, "sha256": digest.hexdigest()}


if __name__ == "__main__":
    app.run()
