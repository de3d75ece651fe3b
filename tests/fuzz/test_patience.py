"""Time-outs, to the second: the clock of these connections leaps, so none waits."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ohia.exchange import Exchange
from ohia.http.headers import Headers
from ohia.server.connection import Connection
from ohia.server.limits import Limits
from ohia.server.service import Service

from .wire import Line, in_leaps

TICK = 1.0  # seconds that one time-out may be late; after a 408 there is a second one
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"

Answer = Callable[[Exchange], Awaitable[None]]
Client = Callable[[Line], Awaitable[None]]


class Handler:
    draining = False

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def handle(self, exchange: Exchange) -> None:
        try:
            await self._answer(exchange)
        except Exception as error:  # noqa: BLE001 - as an application does
            if exchange.can_send:
                status = getattr(error, "status", 500)
                exchange.send_response(status, "No", Headers(), b"")
        finally:
            exchange.close()

    async def startup(self) -> None: ...
    async def shutdown(self) -> None: ...


async def hello(exchange: Exchange) -> None:
    exchange.send_response(200, "OK", Headers(), b"hello")


async def read(exchange: Exchange) -> None:
    while await exchange.read():
        pass
    exchange.send_response(200, "OK", Headers(), b"")


async def stream(exchange: Exchange) -> None:
    exchange.send_head(200, "OK", Headers())
    while True:
        waiting = exchange.send_piece(bytes(1000))
        if waiting is not None:
            await waiting


def life(
    client: Client, answer: Answer = hello, *, pace: int | None = None, **limits: Any
) -> tuple[float, bytes]:
    """Return how many seconds a connection lives, and what was sent to it."""

    async def live() -> tuple[float, bytes]:
        loop = asyncio.get_running_loop()
        service = Service(Handler(answer), Limits(**limits), loop)
        connection = Connection(service)
        line = Line(connection, pace=pace)
        began = loop.time()
        connection.connection_made(line)
        client_task = loop.create_task(_run(client, line))
        await line.ended.wait()
        lived = loop.time() - began
        client_task.cancel()
        await asyncio.wait([client_task])
        service.stop()
        if connection.task is not None:
            await asyncio.wait([connection.task])
        return lived, line.taken

    return in_leaps(live())


async def _run(client: Client, line: Line) -> None:
    await client(line)


def sends(data: bytes, *, then: bytes = b"", every: float = 1.0, size: int = 1) -> Client:
    """Send `data` at once, then `then` by `size` bytes `every` so many seconds."""

    async def client(line: Line) -> None:
        if data:
            await line.feed(data)
        for start in range(0, len(then), size):
            await asyncio.sleep(every)
            await line.feed(then[start : start + size])

    return client


@pytest.mark.parametrize(
    ("client", "answer", "limits", "seconds", "status"),
    [
        pytest.param(sends(b""), hello, {}, 30, None, id="a new connection says nothing"),
        pytest.param(sends(b"GET"), hello, {}, 32, 408, id="a head stops"),
        pytest.param(sends(b"", then=GET * 9, every=2), hello, {}, 34, 408, id="a head drips"),
        pytest.param(
            sends(b"", then=b"\r\n" * 99, every=2, size=2), hello, {}, 30, None, id="empty lines"
        ),
        pytest.param(sends(GET), hello, {}, 75, 200, id="nothing follows an answer"),
        pytest.param(sends(GET, then=b"G" * 99), hello, {}, 33, 408, id="the next head drips"),
        pytest.param(sends(POST), read, {}, 62, 408, id="a body stops"),
        pytest.param(sends(POST, then=b"a" * 999), read, {}, 62.6, 408, id="a body drips"),
        pytest.param(
            sends(POST, then=bytes(99_999), size=50), read, {}, 121, 408,
            id="a body is too slow",
        ),
        pytest.param(sends(POST), hello, {}, 2, 200, id="a long body that nobody reads"),
        pytest.param(
            sends(POST.replace(b"1000000", b"60000"), then=bytes(60_000), size=99, every=0.1),
            hello, {}, 5, 200, id="a body that nobody reads drips",
        ),
        pytest.param(sends(b"\0"), hello, {}, 2, 400, id="a refused client does not go"),
        pytest.param(sends(b"\0"), hello, {"linger_timeout": 9}, 9, 400, id="longer, on demand"),
    ],
)  # fmt: skip
def test_each_wait_has_its_end(
    client: Client, answer: Answer, limits: dict[str, Any], seconds: float, status: int | None
) -> None:
    lived, answers = life(client, answer, **limits)
    assert seconds <= lived <= seconds + 3 * TICK
    statuses = [int(each[:3]) for each in answers.split(b"HTTP/1.1 ")[1:]]
    assert statuses[-1:] == ([] if status is None else [status])


@pytest.mark.parametrize(
    ("client", "answer", "limits"),
    [
        pytest.param(
            sends(POST.replace(b"1000000", b"20000"), then=bytes(20_000), size=200),
            read, {}, id="a slow body that keeps to the least rate",
        ),
        pytest.param(
            sends(POST.replace(b"1000000", b"200"), then=bytes(200), every=50),
            read, {"min_rate": None}, id="a body that drips, where none is asked for",
        ),
    ],
)  # fmt: skip
def test_who_moves_is_waited_for(client: Client, answer: Answer, limits: dict[str, Any]) -> None:
    lived, answers = life(client, answer, **limits)
    assert answers.startswith(b"HTTP/1.1 200 ")
    assert lived > 100


def test_a_client_that_takes_an_answer_in_drops_is_cut() -> None:
    lived, answers = life(sends(GET), stream, pace=0)
    assert 60 <= lived <= 60 + 2 * TICK
    assert answers == b""
    lived, answers = life(sends(GET), stream, pace=1, min_rate=1000, body_timeout=10)
    assert 10 <= lived <= 13 + 2 * TICK
    assert 0 < len(answers) < 2000


def test_a_client_that_takes_an_answer_slowly_is_served() -> None:
    async def ten(exchange: Exchange) -> None:
        await (exchange.send_response(200, "OK", Headers(), bytes(1_000_000)) or asyncio.sleep(0))

    lived, answers = life(sends(GET), ten, pace=100)
    assert lived > 100, "it took that long to take it all"
    assert len(answers) > 1_000_000
