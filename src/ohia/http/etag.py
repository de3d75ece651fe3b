"""Entity tags and their comparison (RFC 9110, 8.8.3).

A tag stands in quotes; W/ before them marks a weak one, which says that two bodies mean the
same without being the same bytes.
"""

import re

__all__ = ["entity_tag", "matches"]

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
