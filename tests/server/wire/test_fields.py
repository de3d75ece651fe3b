"""Field lines, Host and Expect (RFC 9112, 3.2 and 5; RFC 9110, 5, 7.2 and 10.1.1)."""

import pytest

from ohia.exchange import Exchange
from ohia.http.headers import Headers

from .dialogue import NEXT, Wire, get, post, rows, sent

REFUSED_FIELDS = rows(
    ("RFC 9112, 5.1", "a blank before the colon", b"X : a"),
    ("RFC 9112, 5.1", "a tab before the colon", b"X\t: a"),
    ("RFC 9112, 5.1", "a blank in a name", b"X Y: a"),
    ("RFC 9112, 5.1", "no colon", b"X"),
    ("RFC 9112, 5.1", "no colon, but an equals sign", b"X=a"),
    ("RFC 9110, 5.1", "no name", b": a"),
    ("RFC 9110, 5.1", "no name and no value", b":"),
    ("RFC 9110, 5.1", "NUL in a name", b"X\x00Y: a"),
    ("RFC 9110, 5.1", "a vertical tab behind a name", b"X\x0b: a"),
    ("RFC 9110, 5.1", "a control in a name", b"X\x01: a"),
    ("RFC 9110, 5.1", "DEL in a name", b"X\x7f: a"),
    ("RFC 9110, 5.1", "a byte above 127 in a name", b"X\xe4: a"),
    ("RFC 9110, 5.1", "UTF-8 in a name", b"\xc3\xa4: a"),
    ("RFC 9110, 5.1", "a request line", b"GET /evil HTTP/1.1"),
    *(
        ("RFC 9110, 5.6.2", f"{chr(each)} in a name", b"X%cY: a" % each)
        for each in b'"(),/;<=>?@[\\]{}'
    ),
    ("RFC 9112, 5.2", "a line folded by a blank", b"X: a\r\n b"),
    ("RFC 9112, 5.2", "a line folded by a tab", b"X: a\r\n\tb"),
    ("RFC 9112, 5.2", "an empty value folded", b"X:\r\n b"),
    ("RFC 9112, 5.2", "a line of blanks", b"X: a\r\n  "),
    ("RFC 9112, 5.2", "a folded field name", b"X\r\n : a"),
    ("RFC 9112, 5.2", "a fold that hides a length", b"X: a\r\n Content-Length: 5"),
    ("RFC 9112, 2.2", "a bare LF between two fields", b"X: a\nY: b"),
    ("RFC 9112, 2.2", "a bare CR between two fields", b"X: a\rY: b"),
    ("RFC 9112, 2.2", "a bare CR in a value", b"X: a\rb"),
    ("RFC 9112, 2.2", "a bare CR at the end of a value", b"X: a\r"),
    ("RFC 9112, 2.2", "LF CR between two fields", b"X: a\n\rY: b"),
    ("RFC 9112, 2.2", "an empty line by bare LF", b"X: a\r\n\nY: b"),
    ("RFC 9112, 2.2", "an empty line by bare LF, then a request", b"X: a\r\n\nGET / HTTP/1.1"),
    ("RFC 9112, 2.2", "an empty line by bare CR", b"X: a\r\n\rY: b"),
    ("RFC 9112, 2.2", "an empty line by LF LF", b"X: a\n\nGET /evil HTTP/1.1"),
    *(
        ("RFC 9110, 5.5", f"control {each:#04x} in a value", b"X: a%cb" % each)
        for each in (*range(9), 11, 12, *range(14, 32), 127)
    ),
)


@pytest.mark.parametrize("field", REFUSED_FIELDS)
async def test_a_malformed_field_is_answered_400_and_the_connection_closed(
    wire: Wire, field: bytes
) -> None:
    for request in (get(field), get(b"A: b", field, b"C: d")):
        heard = await wire.say(request + NEXT)
        assert (heard.statuses, heard.closes, heard.seen) == ([400], True, [])


HEADS_REFUSED = rows(
    ("RFC 9112, 2.2", "a blank before the first field", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    (
        "RFC 9112, 2.2",
        "a tab before the first field",
        b"GET / HTTP/1.1\r\n\tX: a\r\nHost: a\r\n\r\n",
    ),
    ("RFC 9112, 2.2", "a line of blanks first", b"GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n"),
    ("RFC 9112, 2.2", "bare LF all through", b"GET / HTTP/1.1\nHost: a\n\n"),
    ("RFC 9112, 2.2", "bare LF behind the request line", b"GET / HTTP/1.1\nHost: a\r\n\r\n"),
    ("RFC 9112, 2.2", "bare LF at the end of the head", b"GET / HTTP/1.1\r\nHost: a\r\n\n"),
    ("RFC 9112, 2.2", "bare LF twice at the end", b"GET / HTTP/1.1\r\nHost: a\n\n"),
    ("RFC 9112, 2.2", "LF behind the line, and a head", b"GET / HTTP/1.1\r\n\nHost: a\r\n\r\n"),
    ("RFC 9112, 2.2", "CR CR LF at the end of the head", b"GET / HTTP/1.1\r\nHost: a\r\n\r\r\n"),
    ("RFC 9112, 2.2", "bare CR all through", b"GET / HTTP/1.1\rHost: a\r\r"),
)


@pytest.mark.parametrize("head", HEADS_REFUSED)
async def test_a_head_with_other_line_ends_is_answered_400(wire: Wire, head: bytes) -> None:
    heard = await wire.hear(head + NEXT)
    assert (heard.statuses, heard.closes, heard.seen) == ([400], True, [])


TAKEN_FIELDS = rows(
    ("RFC 9110, 5.5", "blanks around a value are no part of it", [b"X: \t a b \t "], ["a b"]),
    ("RFC 9110, 5.5", "no blank is needed", [b"X:a"], ["a"]),
    ("RFC 9110, 5.5", "a value may be empty", [b"X:"], [""]),
    ("RFC 9110, 5.5", "a value of blanks is empty", [b"X: \t "], [""]),
    ("RFC 9110, 5.5", "a tab within is kept", [b"X: a\tb"], ["a\tb"]),
    ("RFC 9110, 5.5", "bytes above 127 are Latin-1", [b"X: \xe4\xff\x80"], ["\xe4\xff\x80"]),
    ("RFC 9110, 5.5", "a value may have colons", [b"X: a: b:c"], ["a: b:c"]),
    ("RFC 9110, 5.5", "only the first colon parts", [b"X:: a"], [": a"]),
    ("RFC 9110, 5.5", "a quoted string is not read", [b'X: "a'], ['"a']),
    ("RFC 9110, 5.3", "lines of one name keep their order", [b"X: b", b"x: a"], ["b", "a"]),
    ("RFC 9110, 5.3", "others may stand between", [b"X: b", b"Y: c", b"X: a"], ["b", "a"]),
    ("RFC 9110, 5.1", "names ignore case", [b"x: a"], ["a"]),
)


@pytest.mark.parametrize(("fields", "values"), TAKEN_FIELDS)
async def test_a_field_reaches_the_application_by_its_value(
    wire: Wire, fields: list[bytes], values: list[str]
) -> None:
    assert (await seen_fields(wire, get(*fields))).get_all("X") == values


@pytest.mark.parametrize(
    "name", [b"!#$%&'*+-.^_`|~", b"0", b"Content_Length", b"Transfer_Encoding"]
)
async def test_any_token_is_a_name_and_means_what_it_says(wire: Wire, name: bytes) -> None:
    """RFC 9110, 5.1: an underscore is no hyphen."""
    headers = await seen_fields(wire, get(name + b": 9"))
    assert headers.get_all(name.decode()) == ["9"]


async def test_a_connection_option_that_names_a_field_leaves_it_there(wire: Wire) -> None:
    """The rule is for those who forward: RFC 9110, 7.6.1."""
    headers = await seen_fields(wire, get(b"Connection: host, x, content-length", b"X: a"))
    assert (headers["host"], headers["x"]) == ("a", "a")


async def seen_fields(wire: Wire, request: bytes) -> Headers:
    """Return the fields of `request` as the application has them; the connection outlives it."""
    seen: list[Headers] = []

    async def answer(exchange: Exchange) -> None:
        seen.append(exchange.headers)
        await sent(exchange.send_response(200, "OK", Headers(), b""))

    async with wire.client(answer) as client:
        client.say(request + NEXT)
        await client.rest()
    first, _ = seen
    return first


REFUSED_HOSTS = rows(
    ("RFC 9112, 3.2", "none", []),
    ("RFC 9112, 3.2", "two that are equal", [b"Host: a", b"Host: a"]),
    ("RFC 9112, 3.2", "two that differ", [b"Host: a", b"Host: b"]),
    ("RFC 9112, 3.2", "two in different case", [b"Host: a", b"hOST: b"]),
    ("RFC 9112, 3.2", "two of which one is empty", [b"Host: a", b"Host:"]),
    ("RFC 9112, 3.2", "only one with a blank before its colon", [b"Host : a"]),
    *(
        ("RFC 9110, 7.2", name, [b"Host: " + host])
        for name, host in {
            "a path": b"a/b",
            "a path with a query": b"x/admin?",
            "a query": b"a?b",
            "a fragment": b"a#b",
            "a backslash": b"a\\b",
            "a blank": b"a b",
            "a tab": b"a\tb",
            "a list": b"a, b",
            "a list without a blank": b"a,b",
            "a user": b"u@a",
            "a user and a password": b"evil.com:x@good.com",
            "a whole URL": b"http://a",
            "quotes": b'"a"',
            "angle brackets": b"<a>",
            "braces": b"{a}",
            "a bar": b"a|b",
            "raw UTF-8": b"\xc3\xa4.example",
            "half an escape": b"a%2",
            "a wrong escape": b"a%zz",
            "a name for a port": b"a:http",
            "a port of another script": b"a:\xd9\xa1",
            "a signed port": b"a:+80",
            "a port below zero": b"a:-1",
            "a port with an underscore": b"a:8_0",
            "a port with a blank": b"a: 80",
            "port 65536": b"a:65536",
            "port 99999": b"a:99999",
            "a port of six digits": b"a:000080",
            "two ports": b"a:80:80",
            "only a port": b":80",
            "only a colon": b":",
            "an address without brackets": b"::1",
            "an open bracket": b"[::1",
            "a closed bracket": b"::1]",
            "something behind the bracket": b"[::1]evil",
            "a host behind the bracket": b"[::1].evil.com",
            "empty brackets": b"[]",
            "no address in brackets": b"[1]",
            "two gaps in the address": b"[1::2::3]",
            "a zone": b"[fe80::1%25eth0]",
            "a zone, not escaped": b"[fe80::1%eth0]",
            "an address of the future": b"[v1.a]",
            "IPv4 in brackets": b"[127.0.0.1]",
        }.items()
    ),
)


@pytest.mark.parametrize("fields", REFUSED_HOSTS)
async def test_a_host_that_is_missing_doubled_or_no_host_is_answered_400(
    wire: Wire, fields: list[bytes]
) -> None:
    heard = await wire.hear(b"\r\n".join([b"GET / HTTP/1.1", *fields, b"", NEXT]))
    assert (heard.statuses, heard.closes, heard.seen) == ([400], True, [])


async def test_http_1_0_may_do_without_a_host_but_not_have_two(wire: Wire) -> None:
    """RFC 9112, 3.2."""
    none = await wire.say(b"GET / HTTP/1.0\r\n\r\n" + NEXT)
    assert (none.statuses, none.seen) == ([200], ["GET / 1.0"])
    two = await wire.hear(b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n" + NEXT)
    assert (two.statuses, two.seen) == ([400], [])


TAKEN_HOSTS = rows(
    *(
        ("RFC 9110, 7.2", name, host)
        for name, host in {
            "a name": "a",
            "a name with a dot at its end": "A.Example.",
            "a name with a port": "a:80",
            "a name with an empty port": "a:",
            "the highest port": "a:65535",
            "port 0": "a:0",
            "nothing": "",
            "IPv4": "127.0.0.1:3000",
            "IPv6": "[::1]",
            "IPv6 with a port": "[2001:db8::a]:8080",
            "IPv4 in IPv6": "[::ffff:192.0.2.1]",
            "an underscore, as container names have": "my_app:80",
            "an international name": "xn--bcher-kva.example",
            "an escape": "a%20b",
        }.items()
    ),
)


@pytest.mark.parametrize("host", TAKEN_HOSTS)
async def test_a_host_reaches_the_application(wire: Wire, host: str) -> None:
    request = f"GET / HTTP/1.1\r\nHost: \t{host} \r\n\r\n".encode()
    assert (await seen_fields(wire, request))["host"] == host


ABSOLUTE = rows(
    ("RFC 9112, 3.2.2", "another Host", b"GET http://b/ HTTP/1.1", [b"Host: a"], "b"),
    ("RFC 9112, 3.2.2", "an empty Host", b"GET http://b/ HTTP/1.1", [b"Host:"], "b"),
    ("RFC 9112, 3.2.2", "a port", b"GET http://b:81/c HTTP/1.1", [b"Host: b"], "b:81"),
    ("RFC 9112, 3.2.2", "IPv6", b"GET http://[::1]:81?c HTTP/1.1", [b"host: a"], "[::1]:81"),
    ("RFC 9112, 3.2.2", "none in 1.0", b"GET http://b HTTP/1.0", [b"Connection: keep-alive"], "b"),
    ("RFC 9112, 3.2.3", "the authority", b"OPTIONS http://b:1 HTTP/1.1", [b"Host: a"], "b:1"),
)


@pytest.mark.parametrize(("line", "fields", "host"), ABSOLUTE)
async def test_the_host_of_an_absolute_target_outdoes_the_field(
    wire: Wire, line: bytes, fields: list[bytes], host: str
) -> None:
    request = b"\r\n".join([line, *fields, b"X: y", b"", b""])
    for _ in range(2):  # the second time the field lines are known
        headers = await seen_fields(wire, request)
        assert headers.get_all("host") == [host]
        assert headers["x"] == "y"


async def test_an_absolute_target_needs_a_sound_host_field_all_the_same(wire: Wire) -> None:
    """RFC 9112, 3.2."""
    for fields in (b"", b"Host: a\r\nHost: a\r\n", b"Host: a/b\r\n"):
        heard = await wire.hear(b"GET http://b/ HTTP/1.1\r\n" + fields + b"\r\n" + NEXT)
        assert (heard.statuses, heard.seen) == ([400], [])


async def test_the_host_of_one_target_does_not_stay_for_the_next(wire: Wire) -> None:
    seen: list[str] = []

    async def answer(exchange: Exchange) -> None:
        seen.append(exchange.headers["host"])
        await sent(exchange.send_response(200, "OK", Headers(), b""))

    async with wire.client(answer) as client:
        client.say(get() + b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n" + get() + NEXT)
        await client.rest()
    assert seen == ["a", "b", "a", "a"]


EXPECTATIONS = rows(
    ("RFC 9110, 10.1.1", "the known one", b"Expect: 100-continue", 200),
    ("RFC 9110, 10.1.1", "in any case", b"Expect: 100-Continue", 200),
    ("RFC 9110, 10.1.1", "twice", b"Expect: 100-continue, 100-continue", 200),
    ("RFC 9110, 10.1.1", "in two lines", b"Expect: 100-continue\r\nExpect: 100-continue", 200),
    ("RFC 9110, 10.1.1", "none", b"Expect:", 200),
    ("RFC 9110, 10.1.1", "another one", b"Expect: 200-ok", 417),
    ("RFC 9110, 10.1.1", "another one besides", b"Expect: 100-continue, x", 417),
    (
        "RFC 9110, 10.1.1",
        "another one in a line of its own",
        b"Expect: 100-continue\r\nExpect: x",
        417,
    ),
    ("RFC 9110, 10.1.1", "a parameter", b"Expect: 100-continue;q=1", 417),
    ("RFC 9110, 10.1.1", "only the number", b"Expect: 100", 417),
    ("RFC 9110, 10.1.1", "a quoted one", b'Expect: "100-continue"', 417),
)


@pytest.mark.parametrize(("field", "status"), EXPECTATIONS)
async def test_only_a_continue_can_be_expected(wire: Wire, field: bytes, status: int) -> None:
    heard = await wire.say(post(field, b"Content-Length: 1", body=b"x") + NEXT)
    is_taken = status == 200
    assert heard.statuses == [status] * (1 + is_taken)
    assert heard.seen == ["POST / 1.1 x", "GET /next 1.1"] * is_taken
    assert heard.closes


async def test_http_1_0_cannot_expect(wire: Wire) -> None:
    """RFC 9110, 10.1.1."""
    heard = await wire.say(b"POST / HTTP/1.0\r\nExpect: x\r\nContent-Length: 1\r\n\r\nx")
    assert (heard.statuses, heard.seen) == ([200], ["POST / 1.0 x"])
