"""The request line and what may stand before it (RFC 9112, 2 and 3)."""

import pytest

from .dialogue import GET, NEXT, Wire, rows

HOST = b"\r\nHost: a\r\n\r\n"

REFUSED_LINES = rows(
    # The line as a whole: one blank, one blank, nothing else.
    ("RFC 9112, 3", "two blanks before the target", b"GET  / HTTP/1.1", 400),
    ("RFC 9112, 3", "two blanks behind the target", b"GET /  HTTP/1.1", 400),
    ("RFC 9112, 3", "a blank before the method", b" GET / HTTP/1.1", 400),
    ("RFC 9112, 3", "a blank behind the version", b"GET / HTTP/1.1 ", 400),
    ("RFC 9112, 3", "a tab for a blank", b"GET\t/ HTTP/1.1", 400),
    ("RFC 9112, 3", "a vertical tab for a blank", b"GET\x0b/ HTTP/1.1", 400),
    ("RFC 9112, 3", "a form feed for a blank", b"GET /\x0cHTTP/1.1", 400),
    ("RFC 9112, 3", "a bare CR for a blank", b"GET /\rHTTP/1.1", 400),
    ("RFC 9112, 3", "a fourth word", b"GET / HTTP/1.1 x", 400),
    ("RFC 9112, 3", "two versions", b"GET / HTTP/1.1 HTTP/1.1", 400),
    ("RFC 9112, 3", "no target", b"GET HTTP/1.1", 400),
    ("RFC 9112, 3", "no method", b"/ HTTP/1.1", 400),
    ("RFC 9112, 3", "one word", b"GET", 400),
    ("RFC 9112, 3", "a blank in the target", b"GET /a b HTTP/1.1", 400),
    ("RFC 9112, 3", "NUL at the end", b"GET / HTTP/1.1\x00", 400),
    # The method.
    ("RFC 9110, 9.1", "an at sign in the method", b"G@T / HTTP/1.1", 400),
    ("RFC 9110, 9.1", "a comma behind the method", b"GET, / HTTP/1.1", 400),
    ("RFC 9110, 9.1", "a colon behind the method", b"GET: / HTTP/1.1", 400),
    ("RFC 9110, 9.1", "a quoted method", b'"GET" / HTTP/1.1', 400),
    ("RFC 9110, 9.1", "NUL in the method", b"G\x00T / HTTP/1.1", 400),
    ("RFC 9110, 9.1", "a byte above 127 in the method", b"G\xe4T / HTTP/1.1", 400),
    ("RFC 9112, 3", "a method of 65 letters", b"M" * 65 + b" / HTTP/1.1", 501),
    ("RFC 9112, 3", "a method of 1 KB", b"M" * 1024 + b" / HTTP/1.1", 501),
    # The version.
    ("RFC 9110, 15.6.6", "version 2.0", b"GET / HTTP/2.0", 505),
    ("RFC 9110, 15.6.6", "version 3.0", b"GET / HTTP/3.0", 505),
    ("RFC 9110, 15.6.6", "version 9.9", b"GET / HTTP/9.9", 505),
    ("RFC 9110, 15.6.6", "version 0.9", b"GET / HTTP/0.9", 505),
    ("RFC 9110, 15.6.6", "no version, as 0.9 had it", b"GET /", 505),
    ("RFC 9113, 3.4", "the preface of HTTP/2", b"PRI * HTTP/2.0", 505),
    ("RFC 9112, 2.3", "lower case", b"GET / http/1.1", 400),
    ("RFC 9112, 2.3", "mixed case", b"GET / HtTP/1.1", 400),
    ("RFC 9112, 2.3", "another protocol", b"GET / RTSP/1.0", 400),
    ("RFC 9112, 2.3", "a longer name", b"GET / HTTPS/1.1", 400),
    ("RFC 9112, 2.3", "no minor version", b"GET / HTTP/1", 400),
    ("RFC 9112, 2.3", "an empty minor version", b"GET / HTTP/1.", 400),
    ("RFC 9112, 2.3", "an empty major version", b"GET / HTTP/.1", 400),
    ("RFC 9112, 2.3", "a minor version of two digits", b"GET / HTTP/1.10", 400),
    ("RFC 9112, 2.3", "a major version of two digits", b"GET / HTTP/01.1", 400),
    ("RFC 9112, 2.3", "three numbers", b"GET / HTTP/1.1.1", 400),
    ("RFC 9112, 2.3", "a comma for the dot", b"GET / HTTP/1,1", 400),
    ("RFC 9112, 2.3", "a signed version", b"GET / HTTP/+1.1", 400),
    ("RFC 9112, 2.3", "a blank within", b"GET / HTTP/ 1.1", 400),
    ("RFC 9112, 2.3", "a digit of another script", b"GET / HTTP/1.\xd9\xa1", 400),
    # The target: one of four forms, of visible ASCII, without a fragment.
    ("RFC 9112, 3.2", "raw UTF-8", b"GET /\xc3\xa4 HTTP/1.1", 400),
    ("RFC 9112, 3.2", "DEL", b"GET /\x7f HTTP/1.1", 400),
    ("RFC 9112, 3.2", "NUL", b"GET /\x00 HTTP/1.1", 400),
    ("RFC 9112, 3.2", "ESC", b"GET /\x1b[2J HTTP/1.1", 400),
    ("RFC 9112, 3.2.1", "a fragment", b"GET /a#b HTTP/1.1", 400),
    ("RFC 9112, 3.2.1", "only a fragment", b"GET # HTTP/1.1", 400),
    ("RFC 9112, 3.2.1", "no slash", b"GET a HTTP/1.1", 400),
    ("RFC 9112, 3.2.1", "only a query", b"GET ?a HTTP/1.1", 400),
    ("RFC 9112, 3.2.1", "a dot", b"GET ./a HTTP/1.1", 400),
    ("RFC 9112, 3.2.1", "what would join the host", b"GET @evil HTTP/1.1", 400),
    ("RFC 9112, 3.2.1", "a backslash first", b"GET \\a HTTP/1.1", 400),
    ("RFC 9110, 4.2.1", "an absolute form without a host", b"GET http:///a HTTP/1.1", 400),
    ("RFC 9110, 4.2.1", "an absolute form of nothing", b"GET http:// HTTP/1.1", 400),
    ("RFC 9110, 4.2.1", "only a port", b"GET http://:80/ HTTP/1.1", 400),
    ("RFC 9110, 4.2.4", "a user", b"GET http://u@b/ HTTP/1.1", 400),
    ("RFC 9110, 4.2.4", "a user and a password", b"GET http://b:1@c/ HTTP/1.1", 400),
    ("RFC 3986, 3.2.3", "a port that is no number", b"GET http://b:x/ HTTP/1.1", 400),
    ("RFC 3986, 3.2.3", "a port beyond 65535", b"GET http://b:65536/ HTTP/1.1", 400),
    ("RFC 3986, 3.2.2", "an open bracket", b"GET http://[::1/ HTTP/1.1", 400),
    ("RFC 3986, 3.2.2", "a backslash in the host", b"GET http://b\\c/ HTTP/1.1", 400),
    ("RFC 3986, 3.2.2", "a comma in the host", b"GET http://b,c/ HTTP/1.1", 400),
    ("RFC 3986, 3.5", "a fragment of an absolute form", b"GET http://b/#c HTTP/1.1", 400),
    ("RFC 9112, 3.2.2", "another scheme", b"GET ftp://b/ HTTP/1.1", 400),
    ("RFC 9112, 3.2.2", "a file", b"GET file:///etc/passwd HTTP/1.1", 400),
    ("RFC 9112, 3.2.2", "a scheme without slashes", b"GET http:b HTTP/1.1", 400),
    ("RFC 9112, 3.2.2", "an empty scheme", b"GET ://b/ HTTP/1.1", 400),
    ("RFC 9112, 3.2.3", "an authority for GET", b"GET b:443 HTTP/1.1", 400),
    ("RFC 9112, 3.2.3", "a path for CONNECT", b"CONNECT / HTTP/1.1", 400),
    ("RFC 9112, 3.2.3", "an absolute form for CONNECT", b"CONNECT http://b:80/ HTTP/1.1", 400),
    ("RFC 9112, 3.2.3", "an asterisk for CONNECT", b"CONNECT * HTTP/1.1", 400),
    ("RFC 9112, 3.2.3", "a path behind the authority", b"CONNECT b:443/ HTTP/1.1", 400),
    ("RFC 9112, 3.2.3", "a user before the authority", b"CONNECT u@b:443 HTTP/1.1", 400),
    ("RFC 9110, 9.3.6", "CONNECT without a port", b"CONNECT b HTTP/1.1", 400),
    ("RFC 9110, 9.3.6", "CONNECT to an empty port", b"CONNECT b: HTTP/1.1", 400),
    ("RFC 9110, 9.3.6", "CONNECT to port 0", b"CONNECT b:0 HTTP/1.1", 400),
    ("RFC 9110, 9.3.6", "CONNECT to port 65536", b"CONNECT b:65536 HTTP/1.1", 400),
    ("RFC 9112, 3.2.4", "an asterisk for GET", b"GET * HTTP/1.1", 400),
    ("RFC 9112, 3.2.4", "an asterisk for HEAD", b"HEAD * HTTP/1.1", 400),
    ("RFC 9112, 3.2.4", "an asterisk and more", b"OPTIONS *a HTTP/1.1", 400),
    ("RFC 9112, 3.2.4", "a name for OPTIONS", b"OPTIONS a HTTP/1.1", 400),
)


@pytest.mark.parametrize(("line", "status"), REFUSED_LINES)
async def test_a_line_that_is_no_request_line_is_refused_and_the_connection_closed(
    wire: Wire, line: bytes, status: int
) -> None:
    heard = await wire.hear(line + HOST + NEXT)
    assert (heard.statuses, heard.closes, heard.seen) == ([status], True, [])


TAKEN_LINES = rows(
    ("RFC 9112, 3.2.1", "a path", b"GET /a/b HTTP/1.1", "GET /a/b 1.1"),
    ("RFC 9112, 3.2.1", "a path and a query", b"GET /a?b=c HTTP/1.1", "GET /a?b=c 1.1"),
    ("RFC 9112, 3.2.1", "an empty query", b"GET /? HTTP/1.1", "GET /? 1.1"),
    ("RFC 9112, 3.2.1", "two question marks", b"GET /?a?b HTTP/1.1", "GET /?a?b 1.1"),
    ("RFC 9112, 3.2.1", "two slashes first", b"GET //evil/a HTTP/1.1", "GET //evil/a 1.1"),
    ("RFC 9112, 3.2.1", "dots, left alone", b"GET /../%2e%2e/a HTTP/1.1", "GET /../%2e%2e/a 1.1"),
    ("RFC 3986, 2.1", "an encoded NUL, left alone", b"GET /%00 HTTP/1.1", "GET /%00 1.1"),
    ("RFC 3986, 2.1", "what is no UTF-8, left alone", b"GET /%ff HTTP/1.1", "GET /%ff 1.1"),
    (
        "RFC 3986, 2.1",
        "a lone percent sign, as browsers send it",
        b"GET /1% HTTP/1.1",
        "GET /1% 1.1",
    ),
    ("RFC 3986, 2", "a bar, as browsers send it", b"GET /a|b HTTP/1.1", "GET /a|b 1.1"),
    ("RFC 3986, 2", "braces and a caret", b"GET /?{a}^` HTTP/1.1", "GET /?{a}^` 1.1"),
    ("RFC 3986, 2", "quotes, as curl sends them", b'GET /?"<b>" HTTP/1.1', 'GET /?"<b>" 1.1'),
    ("RFC 3986, 2", "a backslash behind the slash", b"GET /\\b HTTP/1.1", "GET /\\b 1.1"),
    ("RFC 3986, 3.2.2", "brackets in a query", b"GET /?a[]=1 HTTP/1.1", "GET /?a[]=1 1.1"),
    ("RFC 9112, 3.2.2", "an absolute form", b"GET http://b/c?d HTTP/1.1", "GET http://b/c?d 1.1"),
    ("RFC 9112, 3.2.2", "one without a path", b"GET http://b HTTP/1.1", "GET http://b 1.1"),
    ("RFC 9112, 3.2.2", "one with only a query", b"GET http://b?c HTTP/1.1", "GET http://b?c 1.1"),
    ("RFC 9112, 3.2.2", "one in capitals", b"GET HTTP://B/ HTTP/1.1", "GET HTTP://B/ 1.1"),
    ("RFC 9112, 3.2.2", "one of https", b"GET https://b/ HTTP/1.1", "GET https://b/ 1.1"),
    (
        "RFC 9112, 3.2.2",
        "one of IPv6",
        b"GET http://[::1]:80/ HTTP/1.1",
        "GET http://[::1]:80/ 1.1",
    ),
    ("RFC 9112, 3.2.2", "one for OPTIONS", b"OPTIONS http://b HTTP/1.1", "OPTIONS http://b 1.1"),
    ("RFC 9112, 3.2.4", "the asterisk", b"OPTIONS * HTTP/1.1", "OPTIONS * 1.1"),
    ("RFC 9110, 9.1", "a method in lower case is another one", b"get / HTTP/1.1", "get / 1.1"),
    (
        "RFC 9110, 9.1",
        "any token is a method",
        b"F!#$&'+-.^_`|~9 / HTTP/1.1",
        "F!#$&'+-.^_`|~9 / 1.1",
    ),
    ("RFC 9110, 9.1", "a dunder is a method", b"__init__ / HTTP/1.1", "__init__ / 1.1"),
    ("RFC 9110, 9.1", "a method of WebDAV", b"PROPFIND / HTTP/1.1", "PROPFIND / 1.1"),
    ("RFC 9110, 9.1", "a method of 64 letters", b"M" * 64 + b" / HTTP/1.1", "M" * 64 + " / 1.1"),
    ("RFC 9110, 9.3.8", "TRACE is the application's", b"TRACE / HTTP/1.1", "TRACE / 1.1"),
    ("RFC 9110, 2.5", "a higher minor version is read as 1.1", b"GET / HTTP/1.2", "GET / 1.1"),
    ("RFC 9110, 2.5", "the highest one too", b"GET / HTTP/1.9", "GET / 1.1"),
)


@pytest.mark.parametrize(("line", "seen"), TAKEN_LINES)
async def test_a_request_line_reaches_the_application_as_it_was_sent(
    wire: Wire, line: bytes, seen: str
) -> None:
    heard = await wire.hear(line + HOST + NEXT)
    assert (heard.statuses, heard.seen) == ([200, 200], [seen, "GET /next 1.1"])


@pytest.mark.parametrize("target", [b"b:443", b"[::1]:443", b"b:65535"])
async def test_connect_is_for_proxies_and_what_follows_it_is_not_read(
    wire: Wire, target: bytes
) -> None:
    """RFC 9110, 9.3.6 and 15.6.2."""
    heard = await wire.say(b"CONNECT " + target + b" HTTP/1.1" + HOST + NEXT)
    assert (heard.statuses, heard.closes, heard.seen) == ([501], True, [])


BEFORE_A_LINE = rows(
    ("RFC 9112, 2.2", "one empty line is skipped", b"\r\n", 200),
    ("RFC 9112, 2.2", "so are three", b"\r\n\r\n\r\n", 200),
    ("RFC 9112, 2.2", "so are a thousand", b"\r\n" * 1000, 200),
    ("RFC 9112, 2.2", "a bare LF", b"\n", 400),
    ("RFC 9112, 2.2", "two bare LF", b"\n\n", 400),
    ("RFC 9112, 2.2", "a bare CR", b"\r", 400),
    ("RFC 9112, 2.2", "CR CR LF", b"\r\r\n", 400),
    ("RFC 9112, 2.2", "LF CR", b"\n\r", 400),
    ("RFC 9112, 2.2", "an empty line by LF behind one by CRLF", b"\r\n\n", 400),
    ("RFC 9112, 2.2", "a line of one blank", b" \r\n", 400),
    ("RFC 9112, 2.2", "a line of one tab", b"\t\r\n", 400),
    ("RFC 9112, 2.2", "NUL", b"\x00", 400),
    ("RFC 9112, 2.2", "a byte order mark", b"\xef\xbb\xbf", 400),
)


@pytest.mark.parametrize(("before", "status"), BEFORE_A_LINE)
async def test_nothing_but_empty_lines_may_stand_before_a_request(
    wire: Wire, before: bytes, status: int
) -> None:
    heard = await wire.hear(before + NEXT)
    assert (heard.statuses, heard.closes) == ([status], True)
    assert heard.seen == ["GET /next 1.1"] * (status == 200)


async def test_an_empty_line_between_requests_is_skipped(wire: Wire) -> None:
    """Some clients send one behind a body: RFC 9112, 2.2."""
    request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
    heard = await wire.hear(request + b"\r\n" + GET + b"\r\n\r\n" + NEXT)
    assert heard.seen == ["POST / 1.1 x", "GET / 1.1", "GET /next 1.1"]


OTHER_PROTOCOLS = rows(
    ("RFC 8446", "a TLS handshake", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ("RFC 4253", "an SSH banner", b"SSH-2.0-OpenSSH_9.2\r\n", 400),
    ("RFC 5321", "a mail client", b"EHLO example.com\r\n", 400),
    ("PROXY protocol", "version 1", b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n" + GET, 400),
    ("PROXY protocol", "version 2", b"\r\n\r\n\x00\r\nQUIT\n", 400),
    ("Redis", "a command", b"*1\r\n$4\r\nPING\r\n", 400),
    ("memcached", "a command", b"get key\r\n", 400),
    ("SOCKS5", "a greeting", b"\x05\x01\x00", 400),
    ("RFC 9113", "the whole preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
)


@pytest.mark.parametrize(("data", "status"), OTHER_PROTOCOLS)
async def test_another_protocol_is_refused_as_soon_as_it_shows(
    wire: Wire, data: bytes, status: int
) -> None:
    heard = await wire.say(data)
    assert (heard.statuses, heard.closes, heard.seen) == ([status], True, [])
