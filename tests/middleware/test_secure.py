"""`secure()`: headers that make browsers careful."""

import re
from datetime import timedelta
from math import inf
from typing import Any

import pytest

from ohia import Context, Ohia
from ohia.middleware.secure import NONCE, secure
from ohia.testing import Client, Response

POLICY = (  # that of helmet 8
    "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';"
    "frame-ancestors 'self';img-src 'self' data:;object-src 'none';script-src 'self';"
    "script-src-attr 'none';style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests"
)
DEFAULTS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "origin-agent-cluster": "?1",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-dns-prefetch-control": "off",
    "x-download-options": "noopen",
    "x-frame-options": "SAMEORIGIN",
    "x-permitted-cross-domain-policies": "none",
    "x-xss-protection": "0",
}
OFF = {
    "content_security_policy": False,
    "cross_origin_opener_policy": False,
    "cross_origin_resource_policy": False,
    "origin_agent_cluster": False,
    "referrer_policy": False,
    "strict_transport_security": False,
    "x_content_type_options": False,
    "x_dns_prefetch_control": False,
    "x_download_options": False,
    "x_frame_options": False,
    "x_permitted_cross_domain_policies": False,
    "x_xss_protection": False,
}


async def handler(ctx: Context) -> None:
    if ctx.path.startswith("/throw"):
        ctx.throw(400, "<script>alert(1)</script>")
    if ctx.path == "/crash":
        raise ValueError("<script>secret</script>")
    if ctx.path == "/own":
        ctx.set("X-Frame-Options", "DENY")
        ctx.remove("X-Download-Options")
    if ctx.path == "/stream":
        async with ctx.stream() as out:
            await out.write("piece")
    elif ctx.upgradable:
        await ctx.upgrade()
    elif ctx.path != "/missing":
        ctx.body = ctx.csp_nonce


async def ask(url: str = "/", **options: Any) -> Response:
    app: Ohia = Ohia(env="test")
    app.use(secure(**options), handler)
    async with Client(app, raise_errors=False) as client:
        return await client.get(url)


def headers_of(response: Response) -> dict[str, str]:
    return {
        name: value
        for name, value in response.headers.items()
        if name not in {"content-type", "content-length"}
    }


async def test_the_defaults_are_sent() -> None:
    assert headers_of(await ask()) == DEFAULTS


async def test_each_can_be_left_out() -> None:
    assert headers_of(await ask("https://testserver/", **OFF)) == {}


@pytest.mark.parametrize(
    ("option", "value", "header", "sent"),
    [
        (
            "cross_origin_embedder_policy",
            "credentialless",
            "cross-origin-embedder-policy",
            "credentialless",
        ),
        ("cross_origin_opener_policy", "unsafe-none", "cross-origin-opener-policy", "unsafe-none"),
        ("cross_origin_resource_policy", "same-site", "cross-origin-resource-policy", "same-site"),
        ("permissions_policy", "camera=()", "permissions-policy", "camera=()"),
        ("referrer_policy", "no-referrer", "referrer-policy", "no-referrer"),
        ("x_dns_prefetch_control", "on", "x-dns-prefetch-control", "on"),
        ("x_frame_options", "deny", "x-frame-options", "DENY"),
        ("x_permitted_cross_domain_policies", "all", "x-permitted-cross-domain-policies", "all"),
    ],
)
async def test_each_can_say_something_else(option: str, value: str, header: str, sent: str) -> None:
    assert headers_of(await ask(**{option: value})) == {**DEFAULTS, header: sent}


@pytest.mark.parametrize(
    "options",
    [
        {"cross_origin_embedder_policy": "x"},
        {"cross_origin_opener_policy": "x"},
        {"cross_origin_resource_policy": True},
        {"referrer_policy": "x"},
        {"x_dns_prefetch_control": "x"},
        {"x_frame_options": "x"},
        {"x_permitted_cross_domain_policies": "x"},
        {"hsts_max_age": -1},
        {"hsts_max_age": inf},
        {"permissions_policy": "camera=()\r\nX-Injected: 1"},
        {"permissions_policy": "camera=()\n"},
        {"content_security_policy": {"script-src": "self"}},
        {"content_security_policy": {"script-src": ["'self'", "nonce-abc"]}},
        {"content_security_policy": {"script-src": "a; img-src *"}},
        {"content_security_policy": {"script-src": "a\r\nb"}},
        {"content_security_policy": {"script src": "a"}},
        {"content_security_policy": {}, "csp_use_defaults": False},
    ],
    ids=str,
)
def test_what_a_header_cannot_say_is_told(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"is one of|-Policy|seconds"):
        secure(**options)


# ---- Strict-Transport-Security --------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({}, "max-age=31536000; includeSubDomains"),
        ({"hsts_max_age": timedelta(days=1), "hsts_include_subdomains": False}, "max-age=86400"),
        ({"hsts_max_age": 5, "hsts_preload": True}, "max-age=5; includeSubDomains; preload"),
    ],
    ids=str,
)
async def test_hsts_is_sent_over_https_alone(options: dict[str, Any], sent: str) -> None:
    encrypted = await ask("https://testserver/", **options)
    assert encrypted.headers["strict-transport-security"] == sent
    assert "strict-transport-security" not in (await ask(**options)).headers


# ---- Content-Security-Policy ----------------------------------------------------------------


async def test_a_policy_is_laid_over_the_defaults() -> None:
    policy = {"script_src": ["'self'", "https://cdn.example"], "img-src": None}
    response = await ask(content_security_policy=policy)
    sent = response.headers["content-security-policy"].split(";")
    assert "script-src 'self' https://cdn.example" in sent
    assert not any(each.startswith("img-src") for each in sent)
    assert "object-src 'none'" in sent


async def test_or_it_stands_alone() -> None:
    response = await ask(content_security_policy={"default-src": "'none'"}, csp_use_defaults=False)
    assert response.headers["content-security-policy"] == "default-src 'none'"


async def test_it_may_only_report() -> None:
    response = await ask(csp_report_only=True)
    assert "content-security-policy" not in response.headers
    assert response.headers["content-security-policy-report-only"] == POLICY


async def test_a_nonce_is_new_for_each_answer_and_on_ctx() -> None:
    policy = {"script-src": ["'self'", NONCE], "style-src": [NONCE]}
    seen: set[str] = set()
    for _ in range(3):
        response = await ask(content_security_policy=policy)
        sent = response.headers["content-security-policy"]
        assert f"script-src 'self' 'nonce-{response.text}'" in sent
        assert f"style-src 'nonce-{response.text}'" in sent
        seen.add(response.text)
    assert len(seen) == 3
    assert all(re.fullmatch(r"[\w-]{22}", each) for each in seen)


async def test_a_source_may_depend_on_the_request() -> None:
    policy = {"frame-ancestors": ["'self'", lambda ctx: f"https://{ctx.hostname}"]}
    response = await ask(content_security_policy=policy)
    assert "frame-ancestors 'self' https://testserver" in response.headers[
        "content-security-policy"
    ].split(";")


async def test_and_cannot_break_out_of_its_directive() -> None:
    policy = {"frame-ancestors": lambda ctx: "a; script-src *"}
    assert (await ask(content_security_policy=policy)).status == 500


# ---- hosts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "status"),
    [  # 22
        ("example.com", 200),
        ("EXAMPLE.com", 200),
        ("example.com:8080", 200),
        ("b.example:81", 200),
        ("b.example", 400),
        ("b.example:82", 400),
        ("exampleXcom", 400),
        ("example.com.evil", 400),
        ("www.example.com", 400),
        ("EXAMPLE.COM.", 400),
        ("evil@example.com:x", 400),
        ("evil/example.com", 400),
        ("", 400),
        (None, 400),
    ],
)
async def test_only_allowed_hosts_are_served(host: str | None, status: int) -> None:
    app: Ohia = Ohia(env="test")
    app.use(secure(allowed_hosts=["Example.com", "b.example:81"]), handler)
    async with Client(app) as client:
        response = await client.get("/", headers={"Host": host})
    assert response.status == status
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["", "https://a.com", "*.a.com", "a b"])
def test_what_is_no_host_is_told(host: str) -> None:
    with pytest.raises(ValueError, match="names of hosts"):
        secure(allowed_hosts=host)


@pytest.mark.parametrize("hosts", ["a.com, b.com", ["a.com", "b.com"]])
async def test_hosts_may_be_text_with_commas(hosts: Any) -> None:
    for host, status in (("a.com", 404), ("b.com", 404), ("c.com", 400)):
        assert (await ask(f"http://{host}/missing", allowed_hosts=hosts)).status == status


async def source(ctx: Context) -> str:
    """Be async where that cannot be."""
    return "'self'"


def test_an_async_source_is_told_at_once() -> None:
    with pytest.raises(TypeError, match="a source of script-src is a plain function"):
        secure(content_security_policy={"script-src": ["'self'", source]})  # type: ignore[list-item]


async def test_a_source_that_returns_no_text_is_a_500() -> None:
    for wrong in (lambda ctx: None, lambda ctx: source(ctx)):  # noqa: PLW0108 - no async function
        answer = await ask(content_security_policy={"script-src": wrong})
        assert answer.status == 500


# ---- errors, streams, sockets ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/throw", 400, "<script>alert(1)</script>"),
        ("/crash", 500, "Internal Server Error"),
        ("/missing", 404, "Not Found"),
    ],
)
async def test_errors_have_them_too(path: str, status: int, text: str) -> None:  # 65
    response = await ask(path)
    assert (response.status, response.text) == (status, text)
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert headers_of(response) == DEFAULTS


async def test_a_page_that_is_missing_says_nothing_of_its_path() -> None:  # 65
    app: Ohia = Ohia(env="test")
    app.use(secure())
    async with Client(app) as client:
        response = await client.get("/<script>")
    assert (response.status, response.text) == (404, "Not Found")
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_downstream_has_the_last_word() -> None:
    response = await ask("/own")
    assert response.headers["x-frame-options"] == "DENY"
    assert "x-download-options" not in response.headers


async def test_streams_have_them() -> None:
    response = await ask("/stream")
    assert response.text == "piece"
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_sockets_have_them() -> None:
    app: Ohia = Ohia(env="test")
    app.use(secure(), handler)
    async with Client(app) as client, client.websocket("/") as socket:
        assert socket.headers["x-content-type-options"] == "nosniff"
