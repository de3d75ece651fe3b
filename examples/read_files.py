"""Sequential code that does not block: what is yielded is waited for, a list of it in parallel.

All Markdown files of a folder are read at once and answered as one.
"""

from asyncio import to_thread
from pathlib import Path

from ohia import Ohia

app = Ohia()
DOCS = Path(__file__).parent.parent / "docs"


@app.use
def read_docs(ctx):
    paths = yield to_thread(lambda: sorted(DOCS.glob("*.md")))
    files = yield [to_thread(path.read_text, "utf-8") for path in paths]
    ctx.type = "markdown"
    ctx.body = "".join(files)


if __name__ == "__main__":
    app.run()
