"""Media types: which one a file name stands for, and whether one type is another.

Values of Content-Type are taken apart after RFC 9110, 8.3; the names of types follow RFC 6838,
4.2. The table of extensions is loaded when it is first asked.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

__all__ = ["charset", "content_type", "essence", "lookup", "matches", "parameters"]

ESSENCE = re.compile(r"[a-z0-9][a-z0-9!#$&^_-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"  # RFC 9110, 5.6.2
_QUOTED = r'"(?:[^"\\]|\\.)*+"'  # RFC 9110, 5.6.4
PARAMETER = re.compile(rf"({_WORD})[ \t]*+=[ \t]*+({_QUOTED}|{_WORD})", re.DOTALL)
PARAMETERS = re.compile(rf"[ \t;]*+(?:{PARAMETER.pattern}[ \t]*+(?:;[ \t;]*+|\Z))*+", re.DOTALL)
ESCAPE = re.compile(r"\\(.)", re.DOTALL)

SHORTHANDS = {"urlencoded": "application/x-www-form-urlencoded", "multipart": "multipart/*"}


def lookup(name: str) -> str | None:
    """Return the media type of an extension, with or without its dot, or of a path's extension.

    Letters' case does not matter. None for an extension that is unknown.

    >>> lookup("html"), lookup(".html"), lookup("folder/page.HTML"), lookup("folder/html")
    ('text/html', 'text/html', 'text/html', None)
    """
    from ohia.http.mime_table import TYPES  # noqa: PLC0415 - the table is large, and rarely asked

    return TYPES.get(_extension(name))


def _extension(name: str) -> str:
    # A bare "html" or ".html" becomes a file's name; "folder/.html" is a file without extension.
    file_name = f"x.{name}".rstrip("/").rpartition("/")[2]
    stem, _, extension = file_name.rpartition(".")
    return extension.lower() if stem else ""


@lru_cache(maxsize=256)
def content_type(name: str) -> str | None:
    """Return what to write into Content-Type for a media type, an extension or a path.

    A type with a slash is taken as it is. Where none is named, text and JSON get a charset.
    None for an extension that is unknown.

    >>> content_type("json"), content_type("text/html"), content_type("png"), content_type("?")
    ('application/json; charset=utf-8', 'text/html; charset=utf-8', 'image/png', None)
    """
    media_type = name if "/" in name else lookup(name)
    if not media_type or "charset" in media_type:
        return media_type or None
    charset = _default_charset(media_type)
    return f"{media_type}; charset={charset}" if charset else media_type


def _default_charset(media_type: str) -> str | None:
    from ohia.http.mime_table import CHARSETS  # noqa: PLC0415 - see lookup()

    name = media_type.partition(";")[0].strip().lower()
    return CHARSETS.get(name, "utf-8" if name.startswith("text/") else None)


def essence(value: str) -> str:
    """Return the type and subtype of Content-Type `value`, in lower case, without parameters.

    The empty string if they are no valid names (RFC 6838, 4.2).

    >>> essence("Text/HTML; charset=utf-8"), essence("html"), essence("text/*")
    ('text/html', '', '')
    """
    name = value.partition(";")[0].strip(" \t").lower()
    return name if ESSENCE.fullmatch(name) else ""


def parameters(value: str) -> dict[str, str]:
    """Return the parameters of Content-Type `value`: names in lower case, values unquoted.

    Of one name the last counts. If anything in `value` is malformed there are none (RFC 9110,
    5.6.6).

    >>> parameters('multipart/form-data; Boundary="a b"; charset=utf-8')
    {'boundary': 'a b', 'charset': 'utf-8'}
    """
    semicolon = value.find(";")
    if semicolon < 0 or not essence(value) or not PARAMETERS.fullmatch(value, semicolon):
        return {}
    pairs = PARAMETER.findall(value, semicolon)
    return {name.lower(): _unquote(text) for name, text in pairs}


def _unquote(text: str) -> str:
    if not text.startswith('"'):
        return text
    return ESCAPE.sub(r"\1", text[1:-1]) if "\\" in text else text[1:-1]


def charset(value: str) -> str:
    """Return the charset of Content-Type `value` as it is written there, or the empty string.

    >>> charset("text/html; charset=UTF-8"), charset("text/html"), charset("no type")
    ('UTF-8', '', '')
    """
    return parameters(value).get("charset", "")


def matches(value: str | None, types: Sequence[str]) -> str | None:
    """Say which of `types` Content-Type `value` is: the first that fits, or None.

    Each is an extension (`json`, `.png`), `urlencoded`, `multipart`, a media type, one with
    wildcards (`text/*`, `*/png`) or a suffix (`+json`). What fits is returned as it was given,
    but for a wildcard or suffix the actual type is. Without `types` the type itself is
    returned. None too if there is no type, or no valid one.

    >>> matches("text/html; charset=utf-8", ["json", "html"])
    'html'
    >>> matches("application/ld+json", ["json", "+json"])
    'application/ld+json'
    """
    actual = essence(value or "")
    if not actual:
        return None
    if not types:
        return actual
    for each in types:
        if _is(actual, _expand(each)):
            return actual if each.startswith("+") or "*" in each else each
    return None


def _expand(name: str) -> str:
    if name in SHORTHANDS:
        return SHORTHANDS[name]
    if name.startswith("+"):
        return f"*/*{name}"
    return name.lower() if "/" in name else lookup(name) or ""


def _is(actual: str, expected: str) -> bool:
    kind, _, subtype = actual.partition("/")
    wanted_kind, _, wanted_subtype = expected.partition("/")
    if wanted_kind not in ("*", kind):
        return False
    if wanted_subtype.startswith("*+"):
        return subtype.endswith(wanted_subtype[1:].lower())
    return wanted_subtype in ("*", subtype)
