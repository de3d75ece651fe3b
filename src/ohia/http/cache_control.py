"""Cache-Control: who may keep a response (RFC 9111, 5.2.2)."""

from ohia.http.listed import listed

__all__ = ["as_private", "is_shared"]

SHARED = frozenset({"immutable", "max-age", "must-revalidate", "public", "s-maxage"})


def is_shared(field: str) -> bool:
    """Say whether Cache-Control `field` offers the response to caches that serve many users.

    >>> is_shared("max-age=60"), is_shared("private, max-age=60"), is_shared("")
    (True, False, False)
    """
    names = {_name(each) for each in listed(field)}
    return bool(names & SHARED) and names.isdisjoint({"private", "no-store"})


def as_private(field: str) -> str:
    """Return Cache-Control `field` so that only the browser of one user may keep the response.

    >>> as_private("public, max-age=60, s-maxage=600"), as_private("no-store"), as_private("")
    ('private, max-age=60', 'no-store', 'private')
    """
    directives = listed(field)
    if any(each.lower() in {"private", "no-store"} for each in directives):
        return field
    kept = [each for each in directives if _name(each) not in {"public", "private", "s-maxage"}]
    return ", ".join(["private", *kept])


def _name(directive: str) -> str:
    return directive.partition("=")[0].strip(" \t").lower()
