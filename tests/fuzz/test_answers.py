"""Whatever an application does: what a client gets can be read, up to a cut, and stays in order.

The one after it on the connection is asked for `/marker`; its answer must never be taken for a
part of another, nor another's for it.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from ohia.errors import ClientDisconnect
from ohia.exchange import Exchange
from ohia.http.headers import Headers

from .clients import Answers, read_answers
from .requests import values
from .wire import Seen, converse, fuzzed, in_leaps, patient

pytestmark = patient

MARKER = b"marker"

statuses = st.sampled_from([200, 200, 200, 103, 204, 205, 206, 304, 404, 426, 500, 599])
lengths = st.sampled_from([None, None, "0", "1", "10", "70000", "x", "-1"])
names = st.sampled_from(
    ["X", "Connection", "Transfer-Encoding", "Keep-Alive", "Upgrade", "Date", "Set-Cookie"]
)
fields = st.lists(
    st.tuples(names, st.sampled_from(["close", "chunked", "a\r\nb: c", "\0"]) | values), max_size=2
)
sizes = st.sampled_from([0, 1, 10, 70_000])
actions = st.one_of(
    st.tuples(st.just("respond"), statuses, lengths, fields, sizes),
    st.tuples(st.just("head"), statuses, lengths, fields),
    st.tuples(st.just("piece"), sizes),
    st.tuples(st.sampled_from(["end", "wait", "abort", "raise", "read"])),
)
programs = st.tuples(st.lists(actions, max_size=6), st.booleans())

REQUESTS = [
    ("GET", "1.1", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("HEAD", "1.1", b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("GET", "1.0", b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
    ("POST", "1.1", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
]
LAST = b"GET /marker HTTP/1.1\r\nHost: a\r\n\r\n"


def headers_of(length: str | None, fields: list[tuple[str, str]]) -> Headers:
    headers = Headers()
    for name, value in fields:
        headers.append(name, value)
    if length is not None:
        headers["Content-Length"] = length
    return headers


async def act(exchange: Exchange, action: tuple[object, ...]) -> None:
    """Do one thing, sensible or not."""
    kind, *rest = action
    does: dict[object, Callable[..., object]] = {
        "respond": lambda status, length, fields, size: exchange.send_response(
            status, "Phrase", headers_of(length, fields), b"x" * size
        ),
        "head": lambda status, length, fields: exchange.send_head(
            status, "Phrase", headers_of(length, fields)
        ),
        "piece": lambda size: exchange.send_piece(b"x" * size),
        "end": exchange.end,
        "wait": lambda: asyncio.sleep(0.01),
        "abort": exchange.abort,
        "read": exchange.read,
    }
    if kind == "raise":
        raise LookupError("a mistake")
    waiting = does[kind](*rest)
    if waiting is not None:
        await waiting  # type: ignore[misc]


def running(program: tuple[list[tuple[object, ...]], bool]) -> object:
    """Return an answer that runs `program`, and goes on after errors if it says so."""
    actions, is_stubborn = program

    async def answer(exchange: Exchange, seen: Seen) -> None:
        if seen.target == "/marker":
            exchange.send_response(200, "OK", Headers(), MARKER)
            return
        with suppress(LookupError, ValueError, RuntimeError, ClientDisconnect):
            for each in actions:
                if is_stubborn:
                    with suppress(ValueError, RuntimeError):
                        await act(exchange, each)
                else:
                    await act(exchange, each)

    return answer


@fuzzed(250)
@given(programs, st.sampled_from(REQUESTS), st.booleans(), st.booleans())
def test_answers_can_be_read_up_to_a_cut(
    program: tuple[list[tuple[object, ...]], bool],
    request: tuple[str, str, bytes],
    ends: bool,
    slow: bool,
) -> None:
    method, version, data = request
    answer = running(program)
    heard = in_leaps(
        converse([data + LAST], answer, ends=ends, pace=9999 if slow else None)  # type: ignore[arg-type]
    )
    assert b"\r\nb: c" not in heard.wire
    answers = read_answers(heard.wire, (method, version), ("GET", "1.1"))
    check_order(answers, is_marked=[each.target for each in heard.seen][1:] == ["/marker"])


def check_order(answers: Answers, *, is_marked: bool) -> None:
    """Assert that each answer is that of its own request."""
    assert MARKER not in (answers.begun or b"")
    for each in answers.whole[:1]:
        assert each.body.strip(b"x") == b""
    if is_marked:
        assert [each.body for each in answers.whole[1:]] == [MARKER]
    else:
        assert len(answers.whole) < 2
