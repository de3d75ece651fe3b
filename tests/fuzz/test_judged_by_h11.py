"""h11 as the judge: what it sends we read as it meant, and never two requests where it reads one.

Where we refuse what h11 takes, or the other way round, a line below says so and why.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import h11
from hypothesis import given
from hypothesis import strategies as st

from .clients import read_answers
from .requests import damaged, parts, requests
from .wire import Heard, Seen, converse, fuzzed, in_leaps, patient, pieces_of

pytestmark = patient

Read = tuple[str, str, bytes]
"""One request, as far as two servers must agree: method, target, body."""

LINES = re.compile(rb"(?<!\r)\n|\r(?!\n)|\r\n[ \t]|[\x00-\x08\x0b-\x1f\x7f]")
LENGTHS = re.compile(rb"(?is)content-length:[^\r]*,|content-length:.*content-length:")
HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~!$&'()*+,;=%]*)(?::[0-9]{0,5})?")
TARGET = re.compile(rb"(?i)/[!\"$-~]*|https?://[a-z0-9.:]+(?:[/?][!\"$-~]*)?")

STRICTER: dict[str, Callable[[h11.Request, bytes], object]] = {
    "lines end with CRLF, fold never, hold no controls (RFC 9112, 2.2, 5.2; RFC 9110, 5.5)": (
        lambda request, data: (
            LINES.search(data.replace(b"\r\n", b""))
            or re.search(rb"\r\n[ \t]|(?<!\r)\n|\r(?!\n)", data)
        )
    ),
    "a length is said once (RFC 9112, 6.3)": lambda request, data: LENGTHS.search(data),
    "chunked is all there is, in 1.1, without a length (RFC 9112, 6.1)": (
        lambda request, _: (
            field(request, b"transfer-encoding") is not None
            and (request.http_version == b"1.0" or field(request, b"content-length") is not None)
        )
    ),
    "Host is a host (RFC 9112, 3.2)": (
        lambda request, _: not HOST.fullmatch(field(request, b"host") or b"")
    ),
    "what is expected is known (RFC 9110, 10.1.1)": (
        lambda request, _: (field(request, b"expect") or b"").lower() not in {b"", b"100-continue"}
    ),
    "a handshake has no body": (
        lambda request, _: (field(request, b"upgrade") or b"").lower() == b"websocket"
    ),
    "a target has one of four forms (RFC 9112, 3.2)": (
        lambda request, _: (
            not TARGET.fullmatch(request.target)
            and (request.method, request.target) != (b"OPTIONS", b"*")
        )
    ),
    "a version is 1.0 or 1.1 (RFC 9112, 2.3)": (
        lambda request, _: request.http_version not in {b"1.0", b"1.1"}
    ),
}
"""Why we refuse a request that h11 takes."""

EMPTY_LINES = "no request line received"  # RFC 9112, 2.2, wants them ignored
LOOSER_CHUNKS = (
    "illegal chunk header",  # blanks before an extension (RFC 9112, 7.1.1, has them)
    "illegal header line",  # trailers, which we check and drop, so their meaning is nothing to us
    "bad Content-Length",
    "conflicting Content-Length headers",
    "multiple Transfer-Encoding headers",
    "Only Transfer-Encoding: chunked is supported",
)
"""Messages with which h11 refuses chunks and trailers that we take."""


def is_looser(seen: Seen, error: str) -> bool:
    """Say whether we may take the request `seen`, which h11 refused with `error`."""
    is_chunked = any(name.lower() == "transfer-encoding" for name, _ in seen.fields)
    return error == EMPTY_LINES or (is_chunked and error.startswith(LOOSER_CHUNKS))


def field(request: h11.Request, name: bytes) -> bytes | None:
    return dict(request.headers).get(name)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What h11 reads."""

    requests: list[Read]
    last: h11.Request | None
    """The head that it read last."""
    error: str
    """Why it refused to go on; empty where it did not."""
    is_last: bool
    """Whether it would read no request behind these."""


def judge(data: bytes, most: int) -> Judgement:
    """Let h11 read `data` as a server that answers each request, up to `most` of them."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(data)
    server.receive_data(b"")
    known, head = list[Read](), None
    try:
        while len(known) < most and isinstance(head := server.next_event(), h11.Request):
            known.append((head.method.decode(), head.target.decode(), _body(server)))
            server.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            server.send(h11.EndOfMessage())
            if server.our_state is not h11.DONE:
                return Judgement(known, head, "", is_last=True)
            server.start_next_cycle()
    except h11.RemoteProtocolError as error:
        return Judgement(known, None, str(error), is_last=False)
    return Judgement(known, head if isinstance(head, h11.Request) else None, "", is_last=False)


def _body(server: h11.Connection) -> bytes:
    body = b""
    while not isinstance(part := server.next_event(), h11.EndOfMessage):
        assert isinstance(part, h11.Data), part
        body += bytes(part.data)
    return body


def read_by_us(heard: Heard) -> list[Read]:
    return [(each.method, each.target, each.body) for each in heard.seen if each.end == "whole"]


@fuzzed(350)
@given(damaged() | st.lists(parts, max_size=12).map(b"".join))
def test_what_we_read_h11_reads_too(data: bytes) -> None:
    heard = in_leaps(converse([data]))
    ours = read_by_us(heard)
    judged = judge(data, len(ours) + 1)
    shared = min(len(ours), len(judged.requests))
    assert ours[:shared] == judged.requests[:shared]
    if len(ours) > shared:
        whole = [each for each in heard.seen if each.end == "whole"]
        assert judged.is_last or is_looser(whole[shared], judged.error), judged
    elif len(judged.requests) > shared and b"CONNECT " not in data:
        assert judged.last is not None
        assert any(reason(judged.last, data) for reason in STRICTER.values()), judged


clients = requests().filter(lambda each: each.seen.version == "1.1")


@fuzzed(100)
@given(st.lists(clients.map(lambda each: each.seen), min_size=1, max_size=4), st.data())
def test_what_h11_sends_is_seen_as_sent_and_answered_as_it_reads(
    sent: list[Seen], data: st.DataObject
) -> None:
    client = h11.Connection(h11.CLIENT)
    written, answered = b"", list[Seen]()
    for each in sent:
        written += _write(client, each)
        answered.append(each)
        if client.our_state is not h11.DONE:
            break
        client = h11.Connection(h11.CLIENT)  # nothing was answered yet: it may not go on
    cuts = data.draw(st.lists(st.integers(0, 999), max_size=5))
    heard = in_leaps(converse(pieces_of(written, cuts)))
    assert len(heard.seen) == len(answered)
    for each, seen in zip(answered, heard.seen, strict=True):
        assert (seen.method, seen.target, seen.body) == (each.method, each.target, each.body)
        assert _sorted(seen.fields) == _sorted(each.fields)  # h11 sends Host first
    answers = read_answers(heard.wire, *((each.method, "1.1") for each in answered))
    assert [each.body for each in answers.whole] == [
        b""
        if each.method == "HEAD"
        else f"{each.method} {each.target} {len(each.fields)} ".encode() + each.body
        for each in answered
    ]


def _sorted(fields: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    return sorted((name.lower(), value.replace("Chunked", "chunked")) for name, value in fields)


def _write(client: h11.Connection, request: Seen) -> bytes:
    fields = [(name.encode(), value.encode("latin-1")) for name, value in request.fields]
    event = h11.Request(method=request.method, target=request.target, headers=fields)
    written = client.send(event) or b""
    if request.body:
        written += client.send(h11.Data(data=request.body)) or b""
    return written + (client.send(h11.EndOfMessage()) or b"")
