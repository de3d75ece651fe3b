"""Another name for a middleware that is not yours: `_name` is what the debug log shows.

DEBUG=ohia* python examples/named_files.py
"""

from pathlib import Path

from ohia import Ohia

app = Ohia()


def serve(folder):
    async def serve(ctx, next):
        path = (folder / ctx.path.lstrip("/")).resolve()
        if path.is_relative_to(folder) and path.is_file():
            ctx.body = path
        else:
            await next()

    return serve


public_files = serve(Path(__file__).parent.resolve() / "public")
public_files._name = "serve /public"  # noqa: SLF001 - the name that `use` reads

app.use(public_files)

if __name__ == "__main__":
    app.run()
