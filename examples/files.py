"""Files of any size: written to a folder while they arrive, and sent with ranges."""

import os
from asyncio import to_thread
from pathlib import Path, PurePath
from tempfile import mkdtemp
from uuid import uuid4

from ohia import Ohia
from ohia.middleware.body import body
from ohia.middleware.router import Router
from ohia.middleware.send import send

FOLDER = Path(os.environ.get("FOLDER") or mkdtemp())

app = Ohia()
router = Router(prefix="/files")
app.use(body(enable_types=["json"]), router)  # the multipart form is left to parts()


@router.post("/")
async def upload(ctx):
    saved = []
    async for part in ctx.request.parts(multipart_limit=None, max_file_size=2**30):
        if part.filename is not None:  # the others are texts
            name = f"{uuid4()}{PurePath(part.filename).suffix}"
            await keep(part, FOLDER / name)
            saved.append({"name": part.filename, "size": part.size, "url": f"/files/{name}"})
    ctx.status = 201
    ctx.body = saved


async def keep(part, path):
    """Write `part` piece by piece; it has its name when it is whole."""
    unfinished = path.with_name(f"{path.name}.part")
    try:
        with await to_thread(unfinished.open, "xb") as file:
            async for piece in part:
                await to_thread(file.write, piece)
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)


@router.get("/:name")
async def download(ctx):
    ctx.attachment(ctx.params["name"])  # saved, not shown: nobody's page runs on this site
    await send(ctx, ctx.params["name"], root=FOLDER)


if __name__ == "__main__":
    app.run()
