"""Entity tags and their comparison (RFC 9110, 8.8.3).

A tag stands in quotes; W/ before them marks a weak one, which says that two bodies mean the
same without being the same bytes.
"""

import re

__all__ = ["content_tag", "entity_tag", "matches", "matches_strongly", "state_tag"]

WHOLE_TAG = re.compile(r'(?:W/)?+"[^"]*+"')
ENTITY_TAG = re.compile(r'"[^"]*+"')  # blanks too: RFC 9110 forbids them, applications use them


def entity_tag(value: str) -> str:
    """Return `value` as an entity tag: in quotes, unless it begins as one.

    >>> entity_tag("a"), entity_tag('"a"'), entity_tag('W/"a"')
    ('"a"', '"a"', 'W/"a"')
    """
    return value if value.startswith(('"', 'W/"')) else f'"{value}"'


def matches(field: str, tag: str) -> bool:
    """Say whether If-None-Match `field` names `tag`, by weak comparison.

    `tag` has its quotes. Weak comparison ignores W/ on either side (RFC 9110, 8.8.3.2). What is
    no entity tag in `field` is skipped.

    >>> matches('"b", W/"a"', '"a"')
    True
    """
    if field.strip(" \t") == "*":
        return True
    return tag.removeprefix("W/") in ENTITY_TAG.findall(field)


def matches_strongly(field: str, tag: str) -> bool:
    """Say whether If-Match `field` names `tag` by strong comparison: a weak one matches nothing.

    `*` matches whatever is there (RFC 9110, 13.1.1).

    >>> matches_strongly('"a", W/"b"', '"a"'), matches_strongly('W/"b"', 'W/"b"')
    (True, False)
    """
    if field.strip(" \t") == "*":
        return True
    return tag.startswith('"') and tag in WHOLE_TAG.findall(field)


def content_tag(content: bytes) -> str:
    """Return the entity tag of `content` by what it is, as npm's etag 1.8 makes it.

    >>> content_tag(b"Hello World")
    '"b-Ck1VqNd45QIvq3AZd8XYQLvEhtA"'
    """
    from base64 import b64encode  # noqa: PLC0415 - see ohia.late
    from hashlib import sha1  # noqa: PLC0415 - see ohia.late

    digest = b64encode(sha1(content, usedforsecurity=False).digest())[:27].decode()
    return f'"{len(content):x}-{digest}"'


def state_tag(size: int, modified: int, variant: str = "") -> str:
    """Return the entity tag of a file by its `size` and when it was `modified`, in nanoseconds.

    A `variant`, such as a content coding, has a tag of its own (RFC 9110, 8.8.3.3).

    >>> state_tag(11, 784111777000000000), state_tag(11, 784111777000000000, "br")
    ('"b-ae1b981bc490a00"', '"b-ae1b981bc490a00-br"')
    """
    return f'"{size:x}-{modified:x}{f"-{variant}" if variant else ""}"'
