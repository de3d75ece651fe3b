"""Redirects, there and back."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from .cases import examples, request, some
from .sides import Sides

AFTER = ["status", "body", "type", "length", "response.header"]

urls = some(
    "/",
    "/login",
    "/é",
    "/a b",
    "/%zz",
    "/%20",
    "/a?b=c&d",
    "/<script>",
    "/\"'&",
    "login",
    "../x",
    "",
    "#x",
    "?a",
    "http://example.com",
    "HTTP://Example.COM:80/A",
    "https://a.org/é?x=é#é",
    "http://google.com\\@apple.com",
    "http://[",
    "http://a b",
    "http://",
    "https://é.org/",
    "http://u:p@h/",
    "//evil.com",
    "javascript:alert(1)",
    "http://a.org/%zz",
    "ftp://x/é",
    "mailto:a@b",
    'http://a.org/"<>`{}|^',
    "/`{}|^\\",
    "/\\evil.com",
    "😀",
    "http://a.org:99999/",
    "http://1.2.3/",
    "http://0x7f.1/",
    "https://a.org/a/../b/./c",
    "/a\tb",
    "%",
    "/%E9",
)
referrers = some(
    None,
    None,
    "/x",
    "http://example.com/x?y",
    "https://example.com/x",
    "http://other.org/x",
    "//evil.com/x",
    "http://example.com:80/x",
    "http://example.com:81/x",
    "javascript:x",
    "http://[",
    "\\\\evil.com",
    "x",
    "",
    "http://EXAMPLE.com/x",
    "/\\evil.com",
    "http://example.com@evil.com/",
    "http://u@example.com/",
    "data:x",
)
accepts = some(
    None, "*/*", "text/html", "application/json", "text/plain, text/html;q=0", "text/plain"
)


@examples(300)
@given(accepts, st.one_of(st.none(), some(200, 301, 303, 308, 304, 404, 300, 306)), urls)
def test_redirects_are_alike(
    sides: Sides, accept: str | None, status: int | None, url: str
) -> None:
    steps: list[list[Any]] = [] if status is None else [["set", "status", status]]
    steps.append(["call", "redirect", url])
    case = {"request": request([("Accept", accept)]), "steps": steps, "after": AFTER}
    sides.contexts("redirects", case)


@examples(300)
@given(
    some("Referer", "Referrer"),
    referrers,
    st.one_of(st.none(), some("/alt", "http://a.org", "")),
    some("example.com", "example.com:80", "EXAMPLE.com", "localhost:3000", ""),
    st.booleans(),
)
def test_the_way_back_is_alike(
    sides: Sides, name: str, referrer: str | None, alt: str | None, host: str, encrypted: bool
) -> None:
    step = ["call", "back"] if alt is None else ["call", "back", alt]
    case = {
        "request": request([("Host", host), (name, referrer)]),
        "socket": {"encrypted": encrypted},
        "steps": [step],
        "after": AFTER,
    }
    sides.contexts("redirects", case)
