"""The same bytes, however the network cuts them: the same answers, the same requests seen.

See RFC 9112, 2.2: a recipient parses a sequence of octets, whatever packets they came in.
"""

from hypothesis import given
from hypothesis import strategies as st

from ohia.exchange import Exchange

from .requests import Request, damaged, parts, requests
from .wire import Seen, converse, echo, fuzzed, in_leaps, patient, pieces_of

pytestmark = patient

cuts = st.lists(st.integers(0, 5000), max_size=8)

CONVERSATION = (
    b"GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n\r\n"
    b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab\r\n\r"
    b"POST /c HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2;x=y\r\nab\r\n3\r\ncde\r\n0\r\nX: y\r\n\r\n"
    b"HEAD /d HTTP/1.1\r\nHost: a\r\n\r\n"
    b"GET /e HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    b"GET /f HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
)
LAST = [
    b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET",
    b"GET /last HTTP/2.0\r\nHost: a\r\n\r\n",
    b"GET /last HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
    b"POST /last HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab",
    b"POST /last HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    b"POST /last HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;\x00\r\nabc",
]


def test_every_cut_of_a_conversation_is_the_same() -> None:
    for number, last in enumerate(LAST):
        data = CONVERSATION + last
        whole = in_leaps(converse([data]))
        assert whole.answers.count(b"HTTP/1.1 200 Seen") >= 6
        assert in_leaps(converse([bytes([each]) for each in data])) == whole
        for cut in range(len(CONVERSATION) if number else 1, len(data)):
            assert in_leaps(converse([data[:cut], data[cut:]])) == whole, cut


@fuzzed(100)
@given(st.lists(requests(), min_size=1, max_size=5), cuts, st.booleans())
def test_valid_requests_are_seen_as_sent_however_they_are_cut(
    sent: list[Request], cuts: list[int], ends: bool
) -> None:
    data = b"".join(each.data for each in sent)
    expected = list[Seen]()
    for each in sent:
        expected.append(each.seen)
        if each.is_last:
            break
    whole = in_leaps(converse([data], ends=ends))
    assert list(whole.seen) == expected
    assert whole.answers.count(b"HTTP/1.1 200 Seen\r\n") == len(expected)
    assert in_leaps(converse(pieces_of(data, cuts), ends=ends)) == whole


@fuzzed(200)
@given(damaged() | st.lists(parts | st.binary(max_size=8), max_size=12).map(b"".join), cuts)
def test_damaged_requests_are_the_same_however_they_are_cut(data: bytes, cuts: list[int]) -> None:
    assert in_leaps(converse(pieces_of(data, cuts))) == in_leaps(converse([data]))


@fuzzed(60)
@given(st.lists(requests(), min_size=1, max_size=4), cuts, st.integers(200, 5000), st.booleans())
def test_a_slow_reader_gets_the_same(
    sent: list[Request], cuts: list[int], pace: int, ends: bool
) -> None:
    data = b"".join(each.data for each in sent)

    async def answer_large(exchange: Exchange, seen: Seen) -> None:
        await echo(exchange, Seen(seen.method, seen.target, "", (), bytes(70_000), seen.end))

    whole = in_leaps(converse([data], answer_large, ends=ends))
    slow = in_leaps(converse(pieces_of(data, cuts), answer_large, ends=ends, pace=pace * 100))
    assert slow == whole
