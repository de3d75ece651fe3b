"""Freshness: is the copy that the client has still good (RFC 9110, 13)."""

from collections.abc import Mapping

from ohia.http.date import parse_date
from ohia.http.etag import matches, matches_strongly

__all__ = ["is_fresh", "precondition_fails"]


def is_fresh(request: Mapping[str, str], response: Mapping[str, str]) -> bool:
    """Say whether the headers of a conditional `request` allow a 304 for those of `response`.

    Each condition that is there must hold: If-None-Match names the ETag, and Last-Modified is
    not after If-Modified-Since. A date that cannot be read does not hold. False without any
    condition, and where the client asks for `Cache-Control: no-cache`. Names are looked up in
    lower case.

    >>> is_fresh({"if-none-match": 'W/"a"'}, {"etag": '"a"'})
    True
    """
    none_match = request.get("if-none-match")
    modified_since = request.get("if-modified-since")
    if not (none_match or modified_since) or _wants_reload(request.get("cache-control", "")):
        return False
    if none_match and not _names(none_match, response.get("etag")):
        return False
    return not modified_since or _unchanged(modified_since, response.get("last-modified"))


def precondition_fails(request: Mapping[str, str], response: Mapping[str, str]) -> bool:
    """Say whether a `request` for a state that is not that of `response` asks for a 412.

    If-Match names none of it by strong comparison, or without If-Match Last-Modified is after
    If-Unmodified-Since. A date that cannot be read is no condition (RFC 9110, 13.1.1 and 13.1.4).

    >>> precondition_fails({"if-match": '"a", "b"'}, {"etag": '"b"'})
    False
    >>> precondition_fails({"if-match": '"a"'}, {"etag": 'W/"a"'})
    True
    """
    match = request.get("if-match")
    if match is not None:
        return not matches_strongly(match, response.get("etag") or "")
    since = parse_date(request.get("if-unmodified-since") or "")
    last = parse_date(response.get("last-modified") or "")
    return since is not None and last is not None and last > since


def _wants_reload(cache_control: str) -> bool:
    if "no-cache" not in cache_control.lower():
        return False
    return any(each.strip(" \t").lower() == "no-cache" for each in cache_control.split(","))


def _names(none_match: str, tag: str | None) -> bool:
    return none_match == "*" or (bool(tag) and matches(none_match, tag or ""))


def _unchanged(modified_since: str, last_modified: str | None) -> bool:
    since = parse_date(modified_since)
    last = parse_date(last_modified or "")
    return since is not None and last is not None and last <= since
