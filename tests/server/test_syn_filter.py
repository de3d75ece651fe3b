"""A socket that turns new connections away, beside another one on its port."""

import contextlib
import select
import socket
import sys
from collections.abc import Iterator

import pytest

from ohia.server.syn_filter import turn_away

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such filters")


def listening(port: int = 0) -> socket.socket:
    shared = socket.socket()
    shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    shared.bind(("127.0.0.1", port))
    shared.listen(100)
    shared.settimeout(0)
    return shared


def connecting(address: tuple[str, int]) -> socket.socket:
    client = socket.socket()
    client.settimeout(0)
    with contextlib.suppress(BlockingIOError):
        client.connect(address)
    return client


def accepted(shared: socket.socket) -> Iterator[socket.socket]:
    with contextlib.suppress(BlockingIOError):
        while True:
            yield shared.accept()[0]


def test_what_comes_late_gets_to_the_other_socket() -> None:
    with contextlib.ExitStack() as stack:
        leaves = stack.enter_context(listening())
        stays = stack.enter_context(listening(leaves.getsockname()[1]))
        assert turn_away(leaves)
        clients = [stack.enter_context(connecting(stays.getsockname())) for _ in range(32)]
        assert list(accepted(leaves)) == []
        leaves.close()
        served = 0
        while served < 32:  # the system asks again after a second
            assert select.select([stays], [], [], 10)[0], f"{served} came"
            for each in accepted(stays):
                stack.enter_context(each)
                served += 1
        assert {each.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) for each in clients} == {0}


def test_what_is_under_way_is_not_touched() -> None:
    with contextlib.ExitStack() as stack:
        leaves = stack.enter_context(listening())
        client = stack.enter_context(socket.create_connection(leaves.getsockname()))
        assert turn_away(leaves)
        (served,) = [stack.enter_context(each) for each in accepted(leaves)]
        client.sendall(b"ping")
        assert select.select([served], [], [], 10)[0]
        assert served.recv(4) == b"ping"


def test_a_socket_that_takes_no_filter_is_left_as_it_is() -> None:
    closed = socket.socket()
    closed.close()
    assert not turn_away(closed)
