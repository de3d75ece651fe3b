"""The differences that are meant: each recognised exactly, and named as in docs/differences.md.

A rule that ends its case leaves the two sides in different states: what follows is no news.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any
from urllib.parse import quote

from ohia.http.status import EMPTY, PHRASES

from .comparing import Difference

__all__ = ["INTENDED", "Rule"]

Recogniser = Callable[[Difference], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """Recognises one intended difference."""

    recognises: Recogniser
    ends_case: bool = False


INTENDED: dict[str, list[Rule]] = {}


def intended(row: str, *, ends_case: bool = False) -> Callable[[Recogniser], Recogniser]:
    """Register the decorated predicate as the rule of `row`."""

    def register(recognises: Recogniser) -> Recogniser:
        INTENDED.setdefault(row, []).append(Rule(recognises, ends_case))
        return recognises

    return register


def _sent(difference: Difference, name: str) -> str | None:
    """Return the request's field `name`, repeated ones joined."""
    fields = difference.case.get("request", {}).get("headers", [])
    values = [value for each, value in fields if each == name]
    return ", ".join(values) if values else None


def _steps(difference: Difference) -> list[list[Any]]:
    steps: list[list[Any]] = difference.case.get("steps", [])
    return steps


def _keys(difference: Difference) -> Any:
    return difference.case.get("app", {}).get("keys")


def _both(found: Difference, name: str) -> tuple[list[str], list[str]]:
    """Return the lines of a response header on both sides; none where it is not the difference."""
    if found.where == f"header {name}":
        return [_as_latin_1(each) for each in found.koa or []], found.ohia or []
    if found.where == "after response.header":
        return found.koa.get(name, []), found.ohia.get(name, [])
    return [], []


def _as_latin_1(line: str) -> str:
    """Return `line` as it was meant, if Node has written it as UTF-8."""
    try:
        return line.encode("latin-1").decode()
    except UnicodeDecodeError:
        return line


# ---- the wire -------------------------------------------------------------------------------


@intended("latin-1-headers")
def _latin_1(found: Difference) -> bool:
    """Node writes a head in the encoding of the body's first piece, or as U+FFFD."""
    if not found.where.startswith(("header ", "reason")) or not found.ohia or not found.koa:
        return False
    ours, theirs = ([each] if isinstance(each, str) else each for each in (found.ohia, found.koa))
    return theirs in (
        [each.encode().decode("latin-1") for each in ours],
        [re.sub(r"[^\x00-\x7f]", "\ufffd", each).encode().decode("latin-1") for each in ours],
    )


@intended("unknown-reason")
def _unknown_reason(found: Difference) -> bool:
    if found.where == "body":  # in Koa it has become the message once the head has left
        return _flushes(found) and found.koa == b"unknown".hex()
    return found.where == "reason" and (found.koa, found.ohia) == ("unknown", "")


# ---- names and values that are not there ----------------------------------------------------


@intended("header-values-are-text")
def _absent(found: Difference) -> bool:
    return _reads_text(found) and (_read(found.koa), _read(found.ohia)) == (None, "")


@intended("header-values-are-text")
def _text(found: Difference) -> bool:
    """Koa's getters give back the number or list that was set."""
    theirs = _read(found.koa)
    if not _reads_text(found) or not isinstance(theirs, int | list):
        return False
    values = theirs if isinstance(theirs, list) else [theirs]
    return bool(_read(found.ohia) == ", ".join(map(str, values)))


def _reads_text(found: Difference) -> bool:
    is_get = found.where == "result" and found.step[:2] == ("call", "response.get")
    return is_get or found.where in ("after etag", "after message")


def _read(value: Any) -> Any:
    return value.get("ok") if isinstance(value, dict) else value


# ---- arguments ------------------------------------------------------------------------------


def _is_wrong(found: Difference) -> bool:
    """Say whether the step passes what Koa quietly overlooks."""
    match found.step:
        case ("call", "attachment", _, {"type": ""}):
            return True
        case ("call", "attachment", str(name), {"fallback": fallback}):
            return name == fallback and "€" in name
        case ("call", "cookies.get" | "cookies.set", *_, {"signed": True}):
            return _keys(found) is None
    return False


@intended("wrong-arguments-raise", ends_case=True)
def _wrong_arguments(found: Difference) -> bool:
    raises = found.where == "result" and found.ohia == {"thrown": True}
    raises_late = found.where == "after response.header" and found.step[1] == "cookies.set"
    return (raises or raises_late) and _is_wrong(found)


# ---- negotiation and freshness --------------------------------------------------------------

LOOSE_WEIGHT = re.compile(r";\s+q|;\s*Q|q\s+=|q=\s|;q=[^,;]*;q=")


@intended("weights-by-the-rfc")
def _weights(found: Difference) -> bool:
    """negotiator reads `;q=` only so, except in Accept."""
    if found.where != "result" or not str(found.step[1]).startswith("accepts"):
        return False
    name = str(found.step[1]).replace("accepts", "Accept-").rstrip("s")
    return bool(LOOSE_WEIGHT.search(_sent(found, name) or ""))


TAG = re.compile(r'(?:W/)?"[^\s",]*"')


def _set_tags(found: Difference) -> list[str]:
    tags = [str(step[3]) for step in _steps(found) if step[2] == "ETag"]
    return tags + [str(step[2]) for step in _steps(found) if step[1] == "etag"]


@intended("freshness-by-the-rfc")
def _entity_tags(found: Difference) -> bool:
    """`fresh` splits at each comma and takes any text for a tag."""
    if found.where not in ("after fresh", "after stale"):
        return False
    asked = (_sent(found, "If-None-Match") or "").split(",")
    told = [each.strip() for each in asked if each.strip() not in ("", "*")]
    had = [tag for tag in _set_tags(found) if tag.startswith(('"', "W/"))]
    has_tab = "\t" in (_sent(found, "If-None-Match") or "")
    return has_tab or not all(map(TAG.fullmatch, [*told, *had]))


@intended("freshness-by-the-rfc")
def _cache_control(found: Difference) -> bool:
    control = _sent(found, "Cache-Control") or ""
    return found.where in ("after fresh", "after stale") and "NO-CACHE" in control


# ---- hosts and proxies ----------------------------------------------------------------------


def _first(value: str | None) -> str:
    return (value or "").split(",")[0].strip()


def _claimed_host(found: Difference) -> str:
    """Return the host that Koa takes: the first of the list, with `user@` still before it."""
    if found.case.get("app", {}).get("proxy") and _sent(found, "X-Forwarded-Host"):
        return _first(_sent(found, "X-Forwarded-Host"))
    return _first(_sent(found, "Host"))


HOST = re.compile(r"(?:([\w.~-]{1,254})|\[([0-9A-Fa-f:.]+)\])(:\d{0,5})?", re.ASCII)


def _is_host(host: str) -> bool:
    match = HOST.fullmatch(host)
    if match is None or int((match[3] or "")[1:] or 0) > 65535:
        return False
    try:
        return match[2] is None or bool(IPv6Address(match[2]))
    except ValueError:
        return False


@intended("hosts-are-checked")
def _hosts(found: Difference) -> bool:
    """What is no host at all gives none, and so no hostname, origin of href, subdomains."""
    getter = found.step[1] if found.where == "result" else found.where.removeprefix("after ")
    affected = getter in ("host", "hostname", "href", "URL", "subdomains")
    return affected and not _is_host(_claimed_host(found))


@intended("hosts-are-checked")
def _asterisk(found: Difference) -> bool:
    """What is no path does not go on where the host ends."""
    getter = found.step[1] if found.where == "result" else found.where.removeprefix("after ")
    return getter in ("href", "URL") and found.case["request"]["target"] == "*"


@intended("hosts-are-checked")
def _subdomains(found: Difference) -> bool:
    is_read = found.where == "result" and found.step[1] == "subdomains"
    return is_read and ".." in f".{_claimed_host(found).partition(':')[0]}."


@intended("addresses-without-ports")
def _addresses(found: Difference) -> bool:
    if found.where != "result" or found.step[1] not in ("ip", "ips"):
        return False
    bare = re.compile(r"\[([^\]]*)\](?::\d+)?|([0-9.]+):\d+")
    theirs = found.koa["ok"]
    listed = [theirs] if isinstance(theirs, str) else theirs
    stripped = [bare.sub(r"\1\2", each) for each in listed]
    return bool(found.ohia == {"ok": stripped[0] if isinstance(theirs, str) else stripped})


@intended("protocol-is-http-or-https")
def _protocol(found: Difference) -> bool:
    claimed = _first(_sent(found, "X-Forwarded-Proto"))
    getter = found.step[1] if found.step else ""
    affected = getter in ("protocol", "secure", "href", "URL")
    return affected and claimed.lower() not in ("http", "https")


# ---- URLs -----------------------------------------------------------------------------------


@intended("urls-read-as-written")
def _urls(found: Difference) -> bool:
    """Node's old parser escapes what is odd, turns backslashes, and keeps what it once parsed."""
    if found.where not in ("after url", "after path", "after querystring", "after search"):
        return False
    before, mark, after = (each or "" for each in found.ohia.partition("?"))
    paths = (before, _escaped(before.replace("\\", "/")))
    queries = (after, _escaped(after).replace("\\", "%5C"))
    escaped = {path + mark + query for path in paths for query in queries}
    kept = {found.ohia.replace("%23", "#").replace("%3F", "?"), found.ohia.removeprefix("/")}
    return found.koa in escaped | kept | {_escaped(found.ohia)}


def _escaped(text: str) -> str:
    return re.sub(r"""[\x00- "'<>^`{|}]""", lambda odd: quote(odd[0]), text)


# ---- redirects ------------------------------------------------------------------------------


@intended("backslash-in-location")
def _backslash(found: Difference) -> bool:
    theirs, ours = _both(found, "location")
    return bool(theirs) and ours == [each.replace("\\", "%5C") for each in theirs]


@intended("back-reads-any-referer", ends_case=True)
def _back(found: Difference) -> bool:
    """An unreadable Referer or host is an error in Koa."""
    went_back = found.step[:2] == ("call", "back") and found.where == "result"
    return went_back and (found.koa, found.ohia) == ({"thrown": True}, {"ok": None})


@intended("back-reads-any-referer", ends_case=True)
def _default_port(found: Difference) -> bool:
    host = _sent(found, "Host") or ""
    went_back = found.step[:2] == ("call", "back")
    return went_back and (host.endswith(":80") or host != host.lower())


# ---- responses ------------------------------------------------------------------------------


@intended("falsy-values-count", ends_case=True)
def _falsy(found: Difference) -> bool:
    """In Koa `false`, 0 and "" stay a body where a status has none, and the first two no length."""
    bodies = [step[2] for step in _steps(found) if step[:2] == ["set", "body"]]
    is_falsy = any(type(body) in (bool, int, str) and not body for body in bodies)
    return is_falsy and found.where in (
        "after length", "after body", "after type", "after response.header",
        "header content-length",
    )  # fmt: skip


@intended("falsy-values-count", ends_case=True)
def _append(found: Difference) -> bool:
    """Koa's append replaces a value that is empty or 0."""
    if found.step[:2] != ("call", "append"):
        return False
    if found.where == "after etag":
        return bool(found.step[2] == "ETag" and re.match("0?, ", found.ohia))
    if found.where != "after response.header":
        return False
    name = str(found.step[2]).lower()
    ours = found.ohia.get(name, [])
    return found.koa | {name: ours} == found.ohia and ours[0] in ("", "0")


@intended("head-has-the-length-of-get")
def _head_length(found: Difference) -> bool:
    sets_length = any(step[:2] == ["set", "length"] for step in _steps(found))
    is_head = found.case.get("request", {}).get("method") == "HEAD"
    return found.where == "header content-length" and is_head and sets_length


@intended("null-as-json-is-200", ends_case=True)
def _undefined_as_json(found: Difference) -> bool:
    """For Koa undefined is null there too; `del ctx.body` leaves no body."""
    taken = found.index + 1 or None  # of an answer, all of them
    steps = _steps(found)[:taken]
    undefined = ["set", "body", {"$": "undefined"}]
    if undefined not in steps or found.where not in (
        "after status",
        "after body",
        "status",
        "body",
    ):
        return False
    before = steps[: steps.index(undefined)]
    is_json = any(step[:2] == ["set", "body"] and _is_json(step[2]) for step in before)
    return is_json or any("json" in repr(step) for step in before)


def _is_json(body: Any) -> bool:
    return isinstance(body, dict | list | int | float) and "$" not in repr(body)


# ---- after the head -------------------------------------------------------------------------


def _flushes(found: Difference) -> bool:
    return ["call", "flushHeaders"] in _steps(found)


@intended("late-writes-are-ignored")
def _late(found: Difference) -> bool:
    """In Koa a late cookie is an error, and a late message becomes the text of the body."""
    if not _flushes(found):
        return False
    if found.where == "result" and found.step[1] == "cookies.set":
        return bool((found.koa, found.ohia) == ({"thrown": True}, {"ok": None}))
    messages = [str(step[2]).encode().hex() for step in _steps(found) if step[1] == "message"]
    return found.where == "body" and found.koa in messages


@intended("late-errors-cut")
def _late_error(found: Difference) -> bool:
    """Koa leaves the connection of an answer that has begun as it is: open."""
    failed = _raised(found)[1] == "throw" and _flushes(found)
    return failed and (found.where, found.koa, found.ohia) in (
        ("hangs", True, False), ("whole", True, False)
    )  # fmt: skip


@intended("lengths-must-match", ends_case=True)
def _lengths(found: Difference) -> bool:
    told = found.ohia if found.where == "errors" else []
    return len(told) == 1 and "Content-Length" in told[0]["message"] and found.koa == []


@intended("framing-fits-the-body")
def _framed(found: Difference) -> bool:
    """Node frames nothing by itself once Koa has removed a length; a flush strips nothing."""
    ends = any(step[:2] == ["set", "body"] and step[2] in NO_BODY for step in _steps(found))
    ends = ends or any(step[1] == "status" and step[2] in EMPTY for step in _steps(found))
    if found.where == "header content-type":
        return ends and _flushes(found) and found.ohia is None
    if found.where == "header transfer-encoding":
        return ends and None in (found.koa, found.ohia)
    return ends and found.where == "header content-length" and found.koa is None


NO_BODY = (None, {"$": "undefined"})


# ---- attachments ----------------------------------------------------------------------------


@intended("one-question-mark-a-character")
def _astral(found: Difference) -> bool:
    lines = _both(found, "content-disposition")
    if not all(lines):
        return False
    theirs, ours = lines[0][0], lines[1][0]
    names = [str(step[2]) for step in _steps(found) if step[1] == "attachment"]
    characters = [each for name in names for each in name if ord(each) > 0xFFFF]
    return (
        bool(characters)
        and theirs.replace("?" * 2 * len(characters), "?" * len(characters)) == ours
    )


# ---- types ----------------------------------------------------------------------------------


@intended("types-in-any-case")
def _types(found: Difference) -> bool:
    """type-is compares a wanted type as it is written."""
    if found.where != "result" or found.step[1] not in ("is", "response.is"):
        return False
    asked = found.step[2] if isinstance(found.step[2], list) else found.step[2:]
    ours = found.ohia["ok"] or ""
    is_match = ours in asked and ours != ours.lower()
    return is_match and found.koa["ok"] in (False, ours.lower())


# ---- cookies --------------------------------------------------------------------------------


@intended("lone-quotes-are-kept", ends_case=True)
def _quotes(found: Difference) -> bool:
    """cookies cuts the first and the last character where only the first is a quote."""
    if found.step[:2] != ("call", "cookies.get"):
        return False
    pairs = [each.lstrip() for each in (_sent(found, "Cookie") or "").split(";")]
    value = next((each for each in pairs if each.startswith(f"{found.step[2]}=")), "")
    value = value.partition("=")[2]
    return value[:1] == '"' and (len(value) == 1 or value[-1] != '"')


@intended("a-bad-signature-is-deleted-once")
def _once(found: Difference) -> bool:
    theirs, ours = _both(found, "set-cookie")
    return bool(theirs) and ours == list(dict.fromkeys(theirs))


EXPIRES = re.compile("; expires=[^;]*")
LONG_AGO = "; expires=Thu, 01 Jan 1970 00:00:00 GMT"


@intended("falsy-values-count")
def _max_age(found: Difference) -> bool:
    """Koa overlooks a maxAge of 0, and reckons a negative one from now."""
    theirs, ours = _both(found, "set-cookie")
    bare = [[EXPIRES.sub("", each) for each in lines] for lines in (theirs, ours)]
    odd = [one for other, one in zip(theirs, ours, strict=False) if other != one]
    return bare[0] == bare[1] and bool(odd) and all(LONG_AGO in each for each in odd)


# ---- errors ---------------------------------------------------------------------------------


def _raised(found: Difference) -> tuple[Any, ...]:
    """Return the last step of a case of errors."""
    return tuple(_steps(found)[-1]) if _steps(found) else ("", "")


@intended("unregistered-statuses-are-kept", ends_case=True)
def _unregistered(found: Difference) -> bool:
    """Koa takes 4xx without a name for 400 and answers them 500."""
    step = found.step or _raised(found)
    if step[0] == "raise":
        status = step[1]["props"].get("status")
        return type(status) is int and 400 <= status <= 599 and status not in PHRASES
    thrown = str(step[1]).startswith(("throw", "assert")) and found.where in ("result", "status")
    statuses = {each for each in step[2:] if type(each) is int and 400 <= each <= 599}
    return thrown and not statuses <= PHRASES.keys()


@intended("foreign-errors-without-headers")
def _foreign_headers(found: Difference) -> bool:
    step = _raised(found)
    if step[0] != "raise" or not found.where.startswith("header ") or found.ohia is not None:
        return False
    props = step[1]["props"]
    named = {name.lower(): value for name, value in props.get("headers", {}).items()}
    is_theirs = found.koa == [named.get(found.where.removeprefix("header "))]
    return is_theirs and not isinstance(props.get("expose"), bool)


@intended("errors-are-4xx-or-5xx", ends_case=True)
def _not_errors(found: Difference) -> bool:
    step = _raised(found)
    if step[0] != "raise" or found.step:
        return False
    status = step[1]["props"].get("status")
    return type(status) is int and not 400 <= status <= 599


# ---- generators -----------------------------------------------------------------------------


@intended("the-first-failure-cancels-the-rest")
def _cancelled(found: Difference) -> bool:
    """co lets the others of a list run on, when the program may have ended already."""
    if found.where != "trace" or not isinstance(found.koa, dict):
        return False
    inner = {"g", "h", "i"}  # the generators that a program may start
    theirs, ours = found.koa, found.ohia
    parted = {name for name in theirs | ours if theirs.get(name) != ours.get(name)}
    return parted <= inner and _can_fail(found.case)


def _can_fail(case: Any) -> bool:
    kinds = set(re.findall(r"'\$': '([\w ]+)'", repr(case)))
    return bool(kinds & {"rejected", "failing thunk", "throwing thunk", "raising generator"})
