"""`cors()`: pages of other origins that may read what is answered."""

from datetime import timedelta
from math import inf
from typing import Any

import pytest

from ohia import Context, Ohia
from ohia.middleware.cors import cors
from ohia.testing import Client, Response

A = "https://a.com"
PREFLIGHT = {"Origin": A, "Access-Control-Request-Method": "PUT"}


def handler(ctx: Context) -> None:
    if ctx.path == "/fail":
        ctx.set("X-Lost", "1")
        ctx.throw(400, "no", headers={"Vary": "Accept"})
    ctx.body = "hello"


async def ask(
    options: dict[str, Any],
    headers: dict[str, str] | None = None,
    *,
    method: str = "GET",
    path: str = "/",
) -> Response:
    app: Ohia = Ohia(env="test")
    app.use(cors(**options), handler)
    async with Client(app, raise_errors=False) as client:
        return await client.request(method, path, headers=headers or {"Origin": A})


def cors_headers(response: Response) -> dict[str, str]:
    found = {**response.headers}
    return {name: found[name] for name in found if name.startswith(("access-", "cross-"))}


@pytest.mark.parametrize("headers", [{"Origin": A}, {"Accept": "*/*"}], ids=["cors", "plain"])
async def test_by_default_everybody_may_read(headers: dict[str, str]) -> None:  # S22
    response = await ask({}, headers)
    assert cors_headers(response) == {"access-control-allow-origin": "*"}
    assert (response.text, response.headers["vary"]) == ("hello", "Origin")


ORIGINS = [
    (A, True),
    ("https://a.com.evil", False),  # 23
    ("https://axcom", False),
    ("null", False),
    ("http://a.com", False),
    ("https://a.com:8443", False),
    ("https://sub.a.com", False),
    ("", False),
]


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
@pytest.mark.parametrize(("origin", "allowed"), ORIGINS)
@pytest.mark.parametrize("given", [A, [A, "https://b.com"]], ids=["one", "list"])
async def test_only_the_origins_that_are_named_get_headers(
    given: Any, origin: str, allowed: bool, method: str
) -> None:
    headers = {**PREFLIGHT, "Origin": origin}
    response = await ask({"origin": given, "credentials": True}, headers, method=method)
    found = cors_headers(response)
    assert response.headers["vary"] == "Origin"
    assert found.get("access-control-allow-origin") == (A if allowed else None)
    assert found.get("access-control-allow-credentials") == ("true" if allowed else None)


async def test_null_may_be_named() -> None:
    response = await ask({"origin": ["null"]}, {"Origin": "null"})
    assert response.headers["access-control-allow-origin"] == "null"


@pytest.mark.parametrize("origin", ["*", ["*"], [A, "*"]], ids=str)
def test_credentials_never_go_with_everybody(origin: Any) -> None:  # 23, S22
    with pytest.raises(ValueError, match="name the origins in a list"):
        cors(origin=origin, credentials=True)


async def test_nor_when_a_function_says_so() -> None:  # 23
    response = await ask({"origin": lambda ctx: "*", "credentials": True})
    assert cors_headers(response) == {"access-control-allow-origin": "*"}


@pytest.mark.parametrize("origin", ["a.com", "https://a.com/path", ["https://"]], ids=str)
def test_what_is_no_origin_is_told(origin: Any) -> None:
    with pytest.raises(ValueError, match="an origin"):
        cors(origin=origin)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(True, A), ("https://b.com", "https://b.com"), (None, None), (False, None), ("", None)],
)
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_function_decides(answer: Any, expected: str | None, is_async: bool) -> None:
    async def later(ctx: Context) -> Any:
        return answer

    origin = later if is_async else lambda ctx: answer
    response = await ask({"origin": origin})
    assert response.headers.get("access-control-allow-origin") == expected
    assert (response.text, response.headers["vary"]) == ("hello", "Origin")


# ---- preflight ------------------------------------------------------------------------------


async def test_a_preflight_is_answered_here() -> None:
    headers = {**PREFLIGHT, "Access-Control-Request-Headers": "X-A, X-B"}
    response = await ask({"max_age": timedelta(hours=1)}, headers, method="OPTIONS")
    assert (response.status, response.content) == (204, b"")
    assert cors_headers(response) == {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "GET,HEAD,PUT,POST,DELETE,PATCH",
        "access-control-allow-headers": "X-A, X-B",
        "access-control-max-age": "3600",
    }


async def test_its_methods_and_headers_may_be_chosen() -> None:
    options = {"allow_methods": ["GET", "PUT"], "allow_headers": ["X-A"], "max_age": 5}
    headers = {**PREFLIGHT, "Access-Control-Request-Headers": "X-A, X-B"}
    found = cors_headers(await ask(options, headers, method="OPTIONS"))
    assert found["access-control-allow-methods"] == "GET,PUT"
    assert found["access-control-allow-headers"] == "X-A"
    assert found["access-control-max-age"] == "5"


@pytest.mark.parametrize(("allowed", "expected"), [(True, "true"), (False, None)])
async def test_private_networks_are_opened_on_demand(allowed: bool, expected: str | None) -> None:
    headers = {**PREFLIGHT, "Access-Control-Request-Private-Network": "true"}
    response = await ask({"private_network_access": allowed}, headers, method="OPTIONS")
    assert response.headers.get("access-control-allow-private-network") == expected


@pytest.mark.parametrize(
    ("options", "headers"),
    [({}, {"Origin": A}), ({"origin": "https://b.com"}, PREFLIGHT)],
    ids=["no preflight", "refused"],
)
async def test_other_options_requests_go_downstream(
    options: dict[str, Any], headers: dict[str, str]
) -> None:
    response = await ask(options, headers, method="OPTIONS")
    assert (response.text, cors_headers(response)) == ("hello", {})


# ---- the rest -------------------------------------------------------------------------------


async def test_other_headers_are_exposed_on_demand() -> None:
    response = await ask({"expose_headers": ["X-A", "X-B"]})
    assert response.headers["access-control-expose-headers"] == "X-A,X-B"


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
@pytest.mark.parametrize(
    "headers", [PREFLIGHT, {"Accept": "*/*"}, {"Origin": "https://evil.com"}], ids=str
)
@pytest.mark.parametrize("path", ["/", "/fail"])
async def test_secure_context_isolates_the_page(
    method: str, headers: dict[str, str], path: str
) -> None:
    options = {"secure_context": True, "origin": A}
    found = cors_headers(await ask(options, headers, method=method, path=path))
    assert found["cross-origin-opener-policy"] == "same-origin"
    assert found["cross-origin-embedder-policy"] == "require-corp"


async def test_lists_may_be_text_with_commas() -> None:
    options = {
        "allow_methods": "GET, PUT",
        "allow_headers": "X-A,X-B",
        "expose_headers": "X-C , X-D",
        "origin": f"https://b.com, {A}",
    }
    found = cors_headers(await ask(options, PREFLIGHT, method="OPTIONS"))
    assert found["access-control-allow-methods"] == "GET,PUT"
    assert found["access-control-allow-headers"] == "X-A,X-B"
    found = cors_headers(await ask(options))
    assert found["access-control-allow-origin"] == A
    assert found["access-control-expose-headers"] == "X-C,X-D"


@pytest.mark.parametrize(
    "options",
    [
        {"allow_methods": ["GET POST"]},
        {"allow_headers": "X-A\r\nX-B: c"},
        {"expose_headers": ["X-Ä"]},
        {"max_age": inf},
        {"origin": "null", "credentials": True},
        {"origin": [A, "null"], "credentials": True},
    ],
    ids=str,
)
def test_what_could_never_be_right_is_told_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"are names|a number of seconds|cannot go with"):
        cors(**options)


@pytest.mark.parametrize(
    ("answer", "expected"), [(True, None), ("null", "null")], ids=["any", "by name"]
)
async def test_null_counts_only_where_a_function_names_it(answer: Any, expected: Any) -> None:
    options = {"origin": lambda ctx: answer, "credentials": True}
    found = cors_headers(await ask(options, {"Origin": "null"}))
    assert found.get("access-control-allow-origin") == expected


async def test_a_function_that_returns_no_text_is_told() -> None:
    response = await ask({"origin": lambda ctx: [A]})
    assert (response.status, cors_headers(response)) == (500, {})


async def test_errors_keep_the_headers() -> None:
    options = {"origin": A, "credentials": True, "expose_headers": ["X-A"]}
    response = await ask(options, path="/fail")
    assert (response.status, response.text) == (400, "no")
    assert cors_headers(response) == {
        "access-control-allow-origin": A,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "X-A",
    }
    assert response.headers["vary"] == "Origin, Accept"
    assert "x-lost" not in response.headers


async def test_unless_they_shall_not() -> None:
    response = await ask({"keep_headers_on_error": False}, path="/fail")
    assert cors_headers(response) == {}
    assert response.headers["vary"] == "Accept"


async def test_sockets_and_streams_pass_with_its_headers() -> None:
    async def long(ctx: Context) -> None:
        if ctx.upgradable:
            await ctx.upgrade()
            return
        async with ctx.stream() as out:
            await out.write("piece")

    app: Ohia = Ohia(env="test")
    app.use(cors(), long)
    async with Client(app) as client:
        async with client.websocket("/") as socket:
            assert socket.headers["access-control-allow-origin"] == "*"
        response = await client.get("/")
    assert (response.text, response.headers["access-control-allow-origin"]) == ("piece", "*")
