# ruff: noqa: INP001 - a script on its own
"""Write `src/ohia/http/mime_table.py` from npm's mime-db.

    python tools/mime_table.py path/to/mime-db/db.json > src/ohia/http/mime_table.py

Several types may claim one extension; the choice is that of mime-types 3: the more official
type wins, then the more usual kind, then the shorter name, then the later one.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

FACETS = {"prs.": 1, "x-": 2, "x.": 3, "vnd.": 4}  # RFC 6838, 3: unregistered trees rank lower
SOURCES = {"nginx": 1, "apache": 2, "iana": 4}
KINDS = {"application": 1, "font": 2, "audio": 2, "video": 3}

HEAD = '''"""The table of media types: written by `tools/mime_table.py`, not by hand.

The facts are those of mime-db {version}. A line is a type and the extensions that stand for it;
each extension is there once. It is loaded when a type is first looked up.
"""

__all__ = ["CHARSETS", "TYPES"]

'''

TAIL = '''TYPES = {{
    extension: media_type
    for media_type, *extensions in map(str.split, _EXTENSIONS.strip().splitlines())
    for extension in extensions
}}
"""From an extension, without dot and in lower case, to its media type."""

CHARSETS = dict.fromkeys(_UTF8.split(), "utf-8") | {others}
"""From a media type, other than text/*, to the charset that it is sent with."""
'''


def rank(media_type: str, source: str | None) -> tuple[int, int, int, int]:
    """Say how strongly `media_type` claims an extension; the greatest has it."""
    if media_type == "application/octet-stream":
        return (0, 0, 0, 0)
    kind, _, subtype = media_type.partition("/")
    facet = min((each for each in FACETS if subtype.startswith(each)), default="")
    return (
        FACETS.get(facet, 9),
        SOURCES.get(source or "", 3),
        KINDS.get(kind, 0),
        -len(media_type),
    )


def choose(entries: dict[str, Any]) -> dict[str, list[str]]:
    """Return each media type of mime-db with the extensions that it won, both in order."""
    winners: dict[str, str] = {}
    for name, entry in entries.items():
        for extension in entry.get("extensions", ()):
            rival = winners.get(extension, name)
            if rank(name, entry.get("source")) >= rank(rival, entries[rival].get("source")):
                winners[extension] = name
    won: dict[str, list[str]] = defaultdict(list)
    for extension, name in winners.items():
        won[name].append(extension)
    return {name: sorted(extensions) for name, extensions in sorted(won.items())}


def lines(name: str, extensions: list[str]) -> list[str]:
    """Return `name` and its extensions as lines of at most 100 characters."""
    written = [name]
    for extension in extensions:
        if len(written[-1]) + 1 + len(extension) > 100:
            written.append(name)
        written[-1] += f" {extension}"
    return written


def charsets(entries: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """Return the types that get UTF-8 without being text/*, and those that get another charset."""
    named = {
        name: entry["charset"].lower()
        for name, entry in sorted(entries.items())
        if "charset" in entry and not (entry["charset"] == "UTF-8" and name.startswith("text/"))
    }
    others = {name: charset for name, charset in named.items() if charset != "utf-8"}
    return [name for name in named if name not in others], others


def render(entries: dict[str, Any], version: str) -> str:
    """Return the module."""
    table = [line for name, won in choose(entries).items() for line in lines(name, won)]
    utf8, others = charsets(entries)
    odd = "".join(f'    "{name}": "{charset}",\n' for name, charset in others.items())
    return (
        HEAD.format(version=version)
        + '_EXTENSIONS = """\n{}\n"""\n\n'.format("\n".join(table))
        + '_UTF8 = """\n{}\n"""\n\n'.format("\n".join(utf8))
        + TAIL.format(others=f"{{\n{odd}}}")
    )


if __name__ == "__main__":
    database = Path(sys.argv[1])
    package = json.loads(database.with_name("package.json").read_text("utf-8"))
    sys.stdout.write(render(json.loads(database.read_text("utf-8")), package["version"]))
