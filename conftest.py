"""README, docs and docstrings are tests too: every Python block and every `>>>` in them runs.

In Markdown a block is left out by `<!--- skip: next -->`, and one that only readers need not see
stands in `<!--- invisible-code-block: python ... -->`. Such blocks have `ask(app, "GET /path")`.
"""

import asyncio
from typing import Any

from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser
from sybil.parsers.rest import DocTestParser

from ohia import Ohia
from ohia.testing import Client
from ohia.testing.client import Response


def ask(app: Ohia, line: str, **options: Any) -> Response:  # noqa: ANN401 - those of a request
    """Send one request, `"GET /path"`, to `app` and return what a client would see."""
    method, url = line.split(" ", 1)

    async def send() -> Response:
        async with Client(app, raise_errors=False) as client:
            return await client.request(method, url, **options)

    return asyncio.run(send())


def set_up(namespace: dict[str, Any]) -> None:
    """Give the blocks of one page what they may use without importing it."""
    namespace["ask"] = ask


pages = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    setup=set_up,
)
docstrings = Sybil(
    parsers=[DocTestParser()],
    pattern="src/**/*.py",
    document_types={".py": PythonDocStringDocument},
)

pytest_collect_file = (pages + docstrings).pytest()
