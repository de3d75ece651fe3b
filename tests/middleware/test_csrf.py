"""`csrf()`: requests that a page of another site made a browser send."""

import weakref
from typing import Any

import pytest

from ohia import Context, Next, Ohia
from ohia.middleware import csrf as module
from ohia.middleware.csrf import csrf, mask, unmask
from ohia.middleware.mount import mount
from ohia.middleware.session import MemoryStore, session
from ohia.testing import Client, Response, UpgradeRefused

EVIL = "https://evil.example"


def app_of(*handlers: Any, **options: Any) -> Ohia:
    app: Ohia = Ohia(env="test", keys=["a secret"])
    app.use(session(), csrf(**options), *(handlers or (answer,)))
    return app


async def answer(ctx: Context) -> None:
    if ctx.path == "/page":
        ctx.body = ctx.csrf_token
    elif ctx.upgradable:
        await ctx.upgrade(origins="*")
    else:
        ctx.body = "done"


# ---- where a request comes from -------------------------------------------------------------

ORIGINS = [
    ({}, 200),  # no browser
    ({"Origin": "http://testserver"}, 200),
    ({"Origin": "https://testserver"}, 200),  # a proxy ends TLS
    ({"Origin": "http://testserver:8080"}, 403),
    ({"Origin": EVIL}, 403),
    ({"Origin": "http://testserver.evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 200),  # Referrer-Policy: no-referrer
    ({"Origin": "http://behind-a-proxy", "Sec-Fetch-Site": "same-origin"}, 200),
    ({"Sec-Fetch-Site": "none"}, 200),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"}, 403),
    ({"Sec-Fetch-Site": "odd"}, 403),
    ({"Sec-Fetch-Site": "same-site", "Origin": "https://app.example"}, 200),
    ({"Origin": "https://app.example"}, 200),
    ({"Origin": "https://app.example.evil.example"}, 403),
]


@pytest.mark.parametrize(("headers", "status"), ORIGINS, ids=str)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "ODD"])
async def test_unsafe_methods(method: str, headers: dict[str, str], status: int) -> None:
    async with Client(app_of(origins=["https://App.example/"])) as client:
        assert (await client.request(method, "/", headers=headers)).status == status


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
async def test_safe_methods_pass(method: str) -> None:  # 72
    async with Client(app_of()) as client:
        headers = {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"}
        assert (await client.request(method, "/", headers=headers)).status == 200


@pytest.mark.parametrize(("headers", "status"), ORIGINS, ids=str)
@pytest.mark.parametrize("credentials", [{"Cookie": "a=1"}, {"Authorization": "Basic eDp5"}])
async def test_websockets_with_credentials(  # 62, S43
    headers: dict[str, str], status: int, credentials: dict[str, str]
) -> None:
    async with Client(app_of(origins=["https://app.example"])) as client:
        seen = 200
        try:
            async with client.websocket("/", headers={**credentials, **headers}):
                pass
        except UpgradeRefused as refused:
            seen = refused.response.status
    assert seen == status


async def test_a_websocket_without_credentials_is_left_to_upgrade() -> None:  # 62
    async with Client(app_of()) as client:
        async with client.websocket("/", headers={"Origin": EVIL}) as socket:
            await socket.wait_closed()
        assert socket.close_code == 1000


async def test_the_refusal_reaches_upstream_and_names_the_reason() -> None:
    async with Client(app_of()) as client:
        response = await client.post("/", headers={"Origin": EVIL})
    assert (response.status, response.text) == (403, "This request comes from another site")


async def test_skip_says_what_is_not_looked_at() -> None:
    app = app_of(skip=lambda ctx: ctx.path == "/hook", tokens="session")
    async with Client(app) as client:
        assert (await client.post("/hook", headers={"Origin": EVIL})).status == 200
        assert (await client.post("/", headers={"Origin": EVIL})).status == 403


@pytest.mark.parametrize("answer", [True, False])
async def test_skip_may_be_async(answer: bool) -> None:
    async def skip(ctx: Context) -> bool:
        return answer

    async with Client(app_of(skip=skip)) as client:
        response = await client.post("/", headers={"Origin": EVIL})
    assert response.status == (200 if answer else 403)


async def test_origins_may_be_text_with_commas() -> None:
    async with Client(app_of(origins="https://a.example, https://b.example")) as client:
        for origin, status in (("https://a.example", 200), ("https://b.example", 200), (EVIL, 403)):
            assert (await client.post("/", headers={"Origin": origin})).status == status


@pytest.mark.parametrize(
    "options",
    [
        {"origins": ["app.example"]},
        {"origins": ["null"]},
        {"tokens": "yes"},
        {"header": "X Token"},
        {"cookie": "a;b"},
    ],
    ids=str,
)
def test_options_that_could_never_work_are_told(options: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError, match=r"an origin is|cannot have 'null'|tokens must be|are names"
    ):
        csrf(**options)


async def test_it_looks_at_no_cookie_without_tokens() -> None:
    async with Client(app_of()) as client:
        response = await client.post("/")
    assert "vary" not in response.headers


# ---- tokens ---------------------------------------------------------------------------------

BOTH = pytest.mark.parametrize("tokens", ["session", "cookie"])


async def page(client: Client) -> str:
    return (await client.get("/page")).text


@BOTH
@pytest.mark.parametrize(
    "way",
    [
        lambda token: {"headers": {"X-CSRF-Token": token}},
        lambda token: {"form": {"_csrf": token, "a": "1"}},
    ],
    ids=["header", "form"],
)
async def test_the_token_of_a_page_lets_its_form_in(tokens: str, way: Any) -> None:
    async with Client(app_of(tokens=tokens)) as client:
        token = await page(client)
        assert (await client.post("/", **way(token))).status == 200


@BOTH
async def test_a_body_that_is_read_already_is_asked(tokens: str) -> None:
    async def read(ctx: Context, next: Next) -> None:
        ctx.request.body = await ctx.request.json() if ctx.method == "POST" else None
        await next()

    app: Ohia = Ohia(env="test", keys=["a secret"])
    app.use(session(), read, csrf(tokens=tokens), answer)  # type: ignore[arg-type]
    async with Client(app) as client:
        token = await page(client)
        assert (await client.post("/", json={"_csrf": token})).status == 200
        assert (await client.post("/", json={"_csrf": [token]})).status == 403
        assert (await client.post("/", json=[token])).status == 403


@BOTH
@pytest.mark.parametrize(
    "forged",
    [
        lambda token: "",
        lambda token: token.swapcase(),
        lambda token: token[:-1],
        lambda token: token[1:] + token[0],
        lambda token: f"{token}=",
        lambda token: mask(b"x" * 32),
        lambda token: mask(b""),
        lambda token: "é",
        lambda token: "x" * 60_000,
    ],
    ids=["none", "case", "cut", "turned", "padded", "other", "empty", "letters", "long"],
)
async def test_other_tokens_are_refused(tokens: str, forged: Any) -> None:  # 72, S36
    async with Client(app_of(tokens=tokens)) as client:
        token = await page(client)
        response = await client.post("/", headers={"X-CSRF-Token": forged(token)})
    assert (response.status, response.text) == (403, "Invalid CSRF token")


@BOTH
async def test_a_token_of_another_browser_is_refused(tokens: str) -> None:  # 72, S36
    app = app_of(tokens=tokens)
    async with Client(app) as mine, Client(app) as other:
        await page(mine)
        token = await page(other)
        assert (await mine.post("/", headers={"X-CSRF-Token": token})).status == 403
        assert (await other.post("/", headers={"X-CSRF-Token": token})).status == 200


@BOTH
async def test_without_a_page_there_is_nothing_to_match(tokens: str) -> None:
    async with Client(app_of(tokens=tokens)) as client:
        response = await client.post("/", headers={"X-CSRF-Token": mask(b"")})
    assert response.status == 403
    assert response.headers["vary"] == "Cookie"


@BOTH
async def test_a_token_is_each_time_another_text(tokens: str) -> None:  # BREACH
    async with Client(app_of(tokens=tokens)) as client:
        given = [await page(client) for _ in range(3)]
        for token in given:
            assert (await client.post("/", headers={"X-CSRF-Token": token})).status == 200
    assert len(set(given)) == 3
    assert len({unmask(token) for token in given}) == 1


def test_tokens_are_compared_in_constant_time() -> None:  # 31, 72
    assert "compare_digest" in module.Tokens.check.__code__.co_names
    assert not {"mask", "__eq__"} & set(module.Tokens.check.__code__.co_names)


@BOTH
async def test_a_page_with_a_token_is_nobody_elses(tokens: str) -> None:
    def handler(ctx: Context) -> None:
        ctx.body = ctx.csrf_token
        ctx.set("Cache-Control", "public, max-age=60")
        ctx.set("Vary", "Accept")

    async with Client(app_of(handler, tokens=tokens)) as client:
        for _ in range(2):
            response: Response = await client.get("/")
            assert response.headers["cache-control"] == "private, max-age=60"
            assert response.headers["vary"] == "Accept, Cookie"


@BOTH
async def test_who_asks_for_no_token_gets_no_secret(tokens: str) -> None:
    async with Client(app_of(tokens=tokens)) as client:
        response = await client.get("/")
    assert "set-cookie" not in response.headers
    assert "vary" not in response.headers


async def test_a_destroyed_session_begins_anew_with_its_token() -> None:
    def handler(ctx: Context) -> None:
        if ctx.path == "/logout":
            ctx.session = None
            ctx.body = ctx.csrf_token

    async with Client(app_of(handler, tokens="session")) as client:
        token = (await client.get("/logout")).text
        assert (await client.post("/", headers={"X-CSRF-Token": token})).status == 404


@pytest.mark.parametrize("store", [None, MemoryStore()], ids=["cookie", "store"])
@pytest.mark.parametrize("way", ["regenerate", "replace", "destroy"])
async def test_another_session_has_another_token(store: Any, way: str) -> None:
    async def handler(ctx: Context) -> None:
        before = ctx.csrf_token
        if ctx.path == "/swap":
            if way == "regenerate":
                await ctx.session.regenerate()
            else:
                ctx.session = {"user": "tobi"} if way == "replace" else None
        ctx.body = [before, ctx.csrf_token]

    app: Ohia = Ohia(env="test", keys=["a secret"])
    app.use(session(store=store), csrf(tokens="session"), handler)
    async with Client(app) as client:
        old, same = (await client.get("/")).json()
        assert unmask(old) == unmask(same)
        _, new = (await client.post("/swap", headers={"X-CSRF-Token": old})).json()
        assert (await client.post("/", headers={"X-CSRF-Token": old})).status == 403
        assert (await client.post("/", headers={"X-CSRF-Token": new})).status == 200


async def test_an_application_inside_another_has_tokens_of_its_own() -> None:
    given: dict[str, list[str]] = {"inner": [], "outer": []}

    def note(name: str) -> Any:
        async def noting(ctx: Context, next: Next) -> None:
            given[name].append(ctx.csrf_token)
            ctx.before_send(lambda ctx: given[name].append(ctx.csrf_token))
            await next()
            given[name].append(ctx.csrf_token)

        return noting

    async def behind(ctx: Context) -> None:
        given["outer"].append(ctx.csrf_token)

    inner: Ohia = Ohia(env="test", keys=["another secret"])
    inner.use(csrf(tokens="cookie", cookie="inner"), note("inner"))
    outer: Ohia = Ohia(env="test", keys=["a secret"])
    outer.use(csrf(tokens="cookie"), note("outer"), mount("/", inner), behind)
    async with Client(outer) as client:
        await client.get("/")
    assert {name: len(tokens) for name, tokens in given.items()} == {"inner": 3, "outer": 4}
    secrets = [{unmask(token) for token in tokens} for tokens in given.values()]
    assert [len(each) for each in secrets] == [1, 1]
    assert secrets[0] != secrets[1]


async def test_of_two_in_one_application_the_innermost_gives_tokens() -> None:
    given: list[bytes] = []

    async def upstream(ctx: Context, next: Next) -> None:
        given.append(unmask(ctx.csrf_token))
        await next()
        given.append(unmask(ctx.csrf_token))

    def handler(ctx: Context) -> None:
        given.append(unmask(ctx.csrf_token))

    app: Ohia = Ohia(env="test", keys=["a secret"])
    app.use(csrf(tokens="cookie"), upstream, csrf(tokens="cookie", cookie="inner"), handler)
    async with Client(app) as client:
        await client.get("/")
    assert given[0] == given[2] != given[1]


async def test_whatever_else_the_session_holds_is_no_secret() -> None:
    def handler(ctx: Context) -> None:
        ctx.session["csrf"] = [1]

    async with Client(app_of(handler, tokens="session")) as client:
        await client.get("/")
        token = mask(b"")
        assert (await client.post("/", headers={"X-CSRF-Token": token})).status == 403


async def test_without_tokens_there_is_no_token() -> None:
    def handler(ctx: Context) -> None:
        ctx.body = hasattr(ctx, "csrf_token")

    with_tokens = csrf(tokens="cookie")
    app: Ohia = Ohia(env="test", keys=["a secret"])

    async def sometimes(ctx: Context, next: Next) -> None:
        await (with_tokens(ctx, next) if ctx.path == "/with" else next())

    app.use(sometimes, handler)
    async with Client(app) as client:
        assert [(await client.get(path)).text for path in ("/", "/with", "/")] == [
            "false",
            "true",
            "false",
        ]


# ---- streams and sockets --------------------------------------------------------------------


async def long(ctx: Context) -> None:
    """Answer as a page with a token, a socket, a stream in the chain, or one behind it."""
    if ctx.path == "/page":
        ctx.body = ctx.csrf_token
    elif ctx.upgradable:
        socket = await ctx.upgrade()
        async for message in socket:
            await socket.send(message)
    elif ctx.path == "/in-chain":
        async with ctx.stream() as out:
            await out.write("a")
            await out.write("b")
    else:
        ctx.body = (each for each in ["a", "b"])


@BOTH
@pytest.mark.parametrize("path", ["/in-chain", "/lazy"])
async def test_a_stream_is_judged_before_it_begins_and_then_left_alone(
    tokens: str, path: str
) -> None:
    async with Client(app_of(long, tokens=tokens)) as client:
        token = {"X-CSRF-Token": await page(client)}
        whole = await client.post(path, headers=token)
        assert (whole.status, whole.text) == (200, "ab")
        assert whole.headers["vary"] == "Cookie"
        for headers, told in (
            ({**token, "Origin": EVIL}, "This request comes from another site"),
            ({}, "Invalid CSRF token"),
        ):
            refused = await client.post(path, headers=headers)
            assert (refused.status, refused.text) == (403, told)


@BOTH
async def test_a_socket_is_judged_before_the_101_and_then_holds_nothing(tokens: str) -> None:
    alive: list[Any] = []

    async def note(ctx: Context, next: Next) -> None:
        alive.append(weakref.ref(ctx))
        await next()

    app = app_of(note, long, tokens=tokens)
    app.env = "production"  # elsewhere ctx.cookies warns of late writes, and holds its ctx for that
    async with Client(app) as client:
        await page(client)
        async with client.websocket("/", headers={"Origin": "http://testserver"}) as socket:
            await socket.send("hello")  # and no token
            assert await socket.receive() == "hello"
        with pytest.raises(UpgradeRefused) as refused:
            async with client.websocket("/", headers={"Origin": EVIL}):
                raise AssertionError
        assert refused.value.response.status == 403
        await client.get("/page")
    assert [each() for each in alive] == [None, None, None]


async def test_an_error_in_a_stream_behind_it_cuts_it_once() -> None:
    errors: list[BaseException] = []

    async def handler(ctx: Context) -> None:
        async with ctx.stream() as out:
            await out.write("a")
            raise ValueError("half")

    app = app_of(handler)
    app.on("error", errors.append)
    async with Client(app, raise_errors=False) as client:
        with pytest.raises(ConnectionError):
            await client.post("/")
    assert [str(each) for each in errors] == ["half"]


@BOTH
async def test_a_detached_request_has_what_it_was_given(tokens: str) -> None:
    async def handler(ctx: Context) -> None:
        token = ctx.csrf_token
        if ctx.upgradable:
            socket = await ctx.upgrade()
            await socket.send(token)
            return
        async with ctx.stream() as out:
            await out.write(token)

    async with Client(app_of(handler, tokens=tokens)) as client:
        async with client.websocket("/", headers={"Origin": "http://testserver"}) as socket:
            first = str(await socket.receive())
            assert socket.headers["vary"] == "Cookie"
        second = (await client.get("/")).text
    assert unmask(first) == unmask(second)
