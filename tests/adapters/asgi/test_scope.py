"""What is read from a scope, as each server fills it."""

from types import MappingProxyType
from typing import Any

import pytest

from ohia.adapters.asgi.scope import ScopeFacts

from .wire import http_scope


def test_a_scope_may_say_almost_nothing() -> None:
    facts = ScopeFacts({"type": "http", "path": "/"})
    assert (facts.method, facts.target, facts.mount_path) == ("GET", "/", "")
    assert (facts.http_version, facts.secure) == ("1.1", False)
    assert (facts.client, facts.server, len(facts.headers)) == (None, None, 0)


def test_a_frozen_scope_is_enough_and_is_handed_on() -> None:
    scope = MappingProxyType(http_scope(extensions=MappingProxyType({})))  # peregrine
    facts = ScopeFacts(scope)
    assert facts.target == "/a"
    assert facts.scope is scope


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [([], None), ([b"5"], 5), ([b"5", b"5"], None), ([b"five"], None), ([b"\xb2"], None)],
)
def test_the_declared_length_is_one_number_or_none(
    lengths: list[bytes], expected: int | None
) -> None:
    headers = [(b"host", b"example.org"), *((b"Content-Length", each) for each in lengths)]
    assert ScopeFacts(http_scope(headers=headers)).content_length == expected


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        (("127.0.0.1", 9102), ("127.0.0.1", 9102)),
        (("127.0.0.1", "9102"), ("127.0.0.1", 9102)),  # granian
        (["::1", 1], ("::1", 1)),
        (("", "0"), None),  # granian on a unix socket
        (("/run/ohia.sock", None), ("/run/ohia.sock", None)),  # uvicorn's server
        (None, None),
    ],
)
def test_addresses(client: Any, expected: object) -> None:
    facts = ScopeFacts(http_scope(client=client, server=client))
    assert facts.client == expected
    assert facts.server == expected
    assert facts.get_extra_info("peername") == expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1.0", "1.0"), ("1.1", "1.1"), ("2", "2"), ("2.0", "2"), ("3.0", "3")],
)
def test_http_versions(version: str, expected: str) -> None:
    assert ScopeFacts(http_scope(http_version=version)).http_version == expected


@pytest.mark.parametrize(
    ("scheme", "secure"), [("http", False), ("https", True), ("ws", False), ("wss", True)]
)
def test_tls_is_known_by_the_scheme(scheme: str, *, secure: bool) -> None:
    assert ScopeFacts(http_scope(scheme=scheme)).secure is secure


def test_repeated_fields_are_kept_apart() -> None:
    facts = ScopeFacts(http_scope(headers=[[b"x-a", b"1"], [b"x-a", b"2"]]))
    assert facts.headers.get_all("X-A") == ["1", "2"]
    assert facts.headers is facts.headers


def test_what_asgi_does_not_tell_is_none() -> None:
    assert ScopeFacts(http_scope()).get_extra_info("ssl_object") is None
