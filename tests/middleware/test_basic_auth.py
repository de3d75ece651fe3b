"""`basic_auth()`: a name and a password with each request."""

from base64 import b64encode
from inspect import getsource
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia import Context, Ohia
from ohia.middleware import basic_auth as module
from ohia.middleware.basic_auth import basic_auth, parse_credentials
from ohia.testing import Client, Response, UpgradeRefused

CHALLENGE = 'Basic realm="Secure Area", charset="UTF-8"'


def basic(text: str | bytes) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    return f"Basic {b64encode(data).decode()}"


async def answer(ctx: Context) -> None:
    if ctx.upgradable:
        socket = await ctx.upgrade()
        await socket.send(ctx.remote_user)
    elif ctx.path == "/stream":
        async with ctx.stream() as out:
            await out.write(ctx.remote_user)
    else:
        ctx.body = ctx.remote_user


def app_of(**options: Any) -> Ohia:
    app: Ohia = Ohia(env="test")
    app.use(basic_auth(**options or {"name": "tobi", "password": "ferret:1"}), answer)
    return app


async def ask(authorization: str | None, **options: Any) -> Response:
    async with Client(app_of(**options)) as client:
        headers = {} if authorization is None else {"Authorization": authorization}
        return await client.get("/", headers=headers)


@pytest.mark.parametrize(
    "authorization",
    [
        basic("tobi:ferret:1"),
        basic("tobi:ferret:1").replace("Basic", "BASIC"),
        basic("tobi:ferret:1").replace(" ", "   ") + " ",
    ],
)
async def test_who_knows_them_comes_in(authorization: str) -> None:
    response = await ask(authorization)
    assert (response.status, response.text) == (200, "tobi")


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Bearer dG9iaTpmZXJyZXQ6MQ==",
        "Basic %%%",
        "Basic a",
        "Basic dG9iaTpmZXJyZXQ6MQ",  # without its padding
        "Basic é",
        basic("tobi"),  # no colon
        basic(":"),
        basic("tobi:"),
        basic(":ferret:1"),
        basic("tobi:Ferret:1"),
        basic("Tobi:ferret:1"),
        basic("tobi:ferret:12"),
        basic("tobi:ferret:1\n"),
        basic(b"\xff\xfe:x"),
        basic("x" * 60_000),
        basic("tobi:" + "x" * 60_000),
        basic("tobi:" + "\u0316\u0301" * 15_000),
        "Basic " + "=" * 60_000,
        " " * 60_000,
        basic("tobi:ferret:1") + ", " + basic("tobi:ferret:1"),
    ],
    ids=lambda text: str(text)[:20],
)
async def test_anybody_else_gets_a_401(authorization: str | None) -> None:  # 73
    response = await ask(authorization)
    assert (response.status, response.text) == (401, "Unauthorized")
    assert response.headers["www-authenticate"] == CHALLENGE


@pytest.mark.parametrize(
    ("sent", "known"),
    [
        ("jürgen:schlüssel", {"jürgen": "schlüssel"}),
        ("ju\u0308rgen:x", {"jürgen": "x"}),  # the same name in two characters
        ("jürgen:x", {"ju\u0308rgen": "x"}),
        ("名前:🔑", {"名前": "🔑"}),
        (":", {"": ""}),
    ],
)
async def test_text_is_utf_8(sent: str, known: dict[str, str]) -> None:  # 73
    assert (await ask(basic(sent), users=known)).status == 200


def test_long_text_is_not_even_decoded() -> None:  # normalize() takes the square of its length
    longest = "x" * (module.MAX_CREDENTIALS - 1)
    assert parse_credentials(basic(f":{longest}")) == ("", longest)
    assert parse_credentials(f"{basic(':')}{' ' * module.MAX_FIELD}") is None
    assert parse_credentials(basic(f":{longest}{'x' * 60}")) is None
    assert parse_credentials(basic(f":{longest}x")) is None


def test_a_user_who_could_never_come_in_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="1024 bytes at most: 'tobi'"):
        basic_auth(name="tobi", password="x" * 1024)


letters = st.characters(exclude_categories=["Cc", "Cs"])


@given(st.text(letters).map(lambda text: text.replace(":", "")), st.text(letters))
def test_what_a_client_writes_is_read_back(name: str, password: str) -> None:
    text = f"{name}:{password}"
    assert parse_credentials(basic(text)) == (normalize("NFC", name), normalize("NFC", password))


@given(st.text() | st.binary().map(basic))
def test_no_field_fails_in_an_unforeseen_way(field: str) -> None:
    found = parse_credentials(field)
    assert found is None or ":" not in found[0]


async def test_each_of_several_users_has_a_password_of_ones_own() -> None:
    users = {"tobi": "1", "loki": "2"}
    found = [
        (await ask(basic(sent), users=users)).status
        for sent in ("tobi:1", "loki:2", "tobi:2", "jane:1", "jane:")
    ]
    assert found == [200, 200, 401, 401, 401]


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_function_may_check(is_async: bool) -> None:
    def check(name: str, password: str) -> bool:
        return name == password

    async def later(name: str, password: str) -> bool:
        return check(name, password)

    chosen = later if is_async else check
    assert (await ask(basic("a:a"), check=chosen)).text == "a"
    assert (await ask(basic("a:b"), check=chosen)).status == 401


@pytest.mark.parametrize(
    "options",
    [
        {"realm": "x"},
        {"name": "tobi"},
        {"password": "x"},
        {"users": {}, "check": lambda name, password: True},
        {"name": "a", "password": "b", "check": lambda name, password: True},
    ],
    ids=",".join,
)
def test_exactly_one_way_is_chosen(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="basic_auth\\(\\) takes"):
        basic_auth(**options)


@pytest.mark.parametrize("realm", ["a\r\nb", "€", "a\x00"])
def test_a_realm_that_no_header_can_hold_is_told(realm: str) -> None:
    with pytest.raises(ValueError, match="a realm is"):
        basic_auth(name="a", password="b", realm=realm)


def test_a_name_with_a_colon_could_never_come_in() -> None:
    with pytest.raises(ValueError, match="no colon"):
        basic_auth(name="a:b", password="c")


async def test_the_realm_is_quoted() -> None:
    response = await ask(None, name="a", password="b", realm='a "b" \\ é')
    expected = 'Basic realm="a \\"b\\" \\\\ é", charset="UTF-8"'
    assert response.headers["www-authenticate"] == expected


def test_passwords_are_compared_in_constant_time_for_unknown_names_too() -> None:  # 31, 73
    source = getsource(module)
    assert "compare_digest(_digest(password), known or NOBODY)" in source
    assert " == password" not in source


async def test_a_handshake_is_refused_with_a_401() -> None:  # S45
    async with Client(app_of()) as client:
        with pytest.raises(UpgradeRefused) as refused:
            async with client.websocket("/"):
                raise AssertionError
    assert refused.value.response.status == 401
    assert refused.value.response.headers["www-authenticate"] == CHALLENGE


async def test_sockets_and_streams_pass_with_their_user() -> None:
    headers = {"Authorization": basic("tobi:ferret:1")}
    async with Client(app_of()) as client:
        async with client.websocket("/", headers=headers) as socket:
            assert await socket.receive() == "tobi"
        assert (await client.get("/stream", headers=headers)).text == "tobi"
