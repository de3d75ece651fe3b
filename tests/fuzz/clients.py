"""h11's client reads what a server has sent on one connection."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import h11

from ohia.http.headers import Headers

__all__ = ["Answers", "Response", "read_answers"]


@dataclass(frozen=True, slots=True)
class Response:
    """One response that came whole."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Answers:
    """What came on one connection."""

    whole: list[Response]
    begun: bytes | None
    """The body of a last response that was cut, as far as it came; None if none was."""


def read_answers(data: bytes, *requests: tuple[str, str]) -> Answers:
    """Read `data` as the answers to `requests`, each a method and a version.

    Raises h11.RemoteProtocolError for what no server may send; that it ends early it may.
    """
    whole = list[Response]()
    for method, version in requests:
        client = h11.Connection(h11.CLIENT)
        # h11 speaks 1.1 only; a 1.0 client would read this framing alike.
        fields = [("Host", "a"), *([("Connection", "close")] if version == "1.0" else [])]
        client.send(h11.Request(method=method, target="/", headers=fields))
        client.send(h11.EndOfMessage())
        if data:  # nothing at all would be the end
            client.receive_data(data)
        response, begun = _read(client)
        if response is None:
            return Answers(whole, begun)
        whole.append(response)
        data = client.trailing_data[0]
    assert data == b"", "more came than was asked for"
    return Answers(whole, None)


def _read(client: h11.Connection) -> tuple[Response | None, bytes | None]:
    """Return a whole response, or what came of the body of one that was cut."""
    head, body = None, b""
    for event in _events(client):
        if isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            headers = Headers.from_raw(head.headers.raw_items())
            return Response(head.status_code, headers, body), None
    return None, None if head is None else body


def _events(client: h11.Connection) -> Iterator[object]:
    """Yield what `client` reads, until there is no more."""
    while (event := client.next_event()) is not h11.NEED_DATA:
        yield event
        if isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            return
    client.receive_data(b"")
    with suppress(h11.RemoteProtocolError):  # it ended too early
        while not isinstance(event := client.next_event(), h11.ConnectionClosed):
            yield event
