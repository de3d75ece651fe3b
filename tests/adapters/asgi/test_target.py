"""Which part of a path the host has routed on: the ways in which hosts and servers say it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.adapters.asgi.target import read_target


@pytest.mark.parametrize(
    ("scope", "whole", "mount_path"),
    [
        pytest.param({"path": "/a", "raw_path": b"/a"}, "/a", "", id="no mount"),
        pytest.param(
            {"path": "/a b", "raw_path": b"/a%20b", "query_string": b"x=%20"},
            "/a%20b?x=%20",
            "",
            id="still percent-encoded, with its query",
        ),
        pytest.param(
            {"path": "/a/b", "raw_path": b"/a%2Fb"}, "/a%2Fb", "", id="an escaped slash stays"
        ),
        pytest.param({"path": "/a b?é"}, "/a%20b%3F%C3%A9", "", id="no raw_path (ASGI 2)"),
        pytest.param({"path": "/a", "raw_path": b""}, "/a", "", id="empty raw_path (fastpysgi)"),
        pytest.param({"path": "/a", "raw_path": None}, "/a", "", id="None raw_path"),
        pytest.param({"path": "", "raw_path": b""}, "/", "", id="CONNECT under granian"),
        pytest.param(
            {"path": "/a", "raw_path": b"/a?x=1", "query_string": b"x=1"},
            "/a?x=1",
            "",
            id="raw_path with the query (old test clients)",
        ),
        pytest.param(
            {"path": "/\ufffd", "raw_path": b"/%ff"}, "/%ff", "", id="bytes that are no UTF-8"
        ),
        pytest.param({"path": "/%ff", "raw_path": b"/%ff"}, "/%ff", "", id="left encoded (h2corn)"),
        pytest.param(
            {"path": "http://b/p", "raw_path": b"http://b/p"},
            "http://b/p",
            "",
            id="absolute form (hypercorn)",
        ),
        # root_path in path: the specification, Starlette since 0.33, FastAPI sub-applications
        pytest.param(
            {"path": "/shop/a", "raw_path": b"/shop/a", "root_path": "/shop"},
            "/shop/a",
            "/shop",
            id="Starlette mount",
        ),
        pytest.param(
            {"path": "/shop", "raw_path": b"/shop", "root_path": "/shop"},
            "/shop",
            "/shop",
            id="Starlette mount, nothing below",
        ),
        pytest.param(
            {"path": "/shop/", "raw_path": b"/shop/", "root_path": "/shop/"},
            "/shop/",
            "/shop",
            id="root_path with a slash behind",
        ),
        pytest.param(
            {"path": "/a b/c d", "raw_path": b"/a%20b/c%20d", "root_path": "/a b"},
            "/a%20b/c%20d",
            "/a%20b",
            id="escaped mount",
        ),
        pytest.param(
            {"path": "/api/v1/x", "raw_path": b"/api/v1/x", "root_path": "/api/v1"},
            "/api/v1/x",
            "/api/v1",
            id="FastAPI below uvicorn --root-path",
        ),
        pytest.param(
            {"path": "/shop/a", "root_path": "/shop"}, "/shop/a", "/shop", id="no raw_path"
        ),
        # path without root_path: hosts before that, Django-like dispatchers
        pytest.param(
            {"path": "/a", "raw_path": b"/shop/a", "root_path": "/shop"},
            "/shop/a",
            "/shop",
            id="old Starlette mount",
        ),
        pytest.param(
            {"path": "/shop/a", "raw_path": b"/shop/shop/a", "root_path": "/shop"},
            "/shop/shop/a",
            "/shop",
            id="old mount, the name twice",
        ),
        pytest.param(
            {"path": "/", "raw_path": b"/shop", "root_path": "/shop"},
            "/shop",
            "/shop",
            id="old mount, nothing below",
        ),
        pytest.param(
            {"path": "/a", "raw_path": b"/shop/a", "root_path": ""},
            "/shop/a",
            "/shop",
            id="Litestar mount: only the path is shortened",
        ),
        pytest.param(
            {"path": "/c d", "raw_path": b"/a%20b/c%20d"},
            "/a%20b/c%20d",
            "/a%20b",
            id="shortened, escaped",
        ),
        pytest.param(
            {"path": "/a", "raw_path": b"/a", "root_path": "/api"},
            "/api/a",
            "/api",
            id="the proxy cut it off (hypercorn --root-path)",
        ),
        pytest.param(
            {"path": "/apix", "raw_path": b"/apix", "root_path": "/api"},
            "/api/apix",
            "/api",
            id="the mount ends at a slash",
        ),
        pytest.param(
            {"path": "/new", "raw_path": b"/old", "root_path": ""},
            "/new",
            "",
            id="rewritten by the host",
        ),
    ],
)
def test_the_target_is_whole_and_the_mount_is_its_beginning(
    scope: dict[str, Any], whole: str, mount_path: str
) -> None:
    assert read_target(scope) == (whole, mount_path)


@given(
    path=st.text(),
    raw=st.binary(),
    root=st.text(),
    query=st.binary(),
)
def test_whatever_comes_the_mount_is_a_beginning_of_the_target(
    path: str, raw: bytes, root: str, query: bytes
) -> None:
    scope = {"path": path, "raw_path": raw, "root_path": root, "query_string": query}
    target = read_target(scope)
    assert target.whole.startswith(target.mount_path)
    assert not target.mount_path.endswith("/")
