"""Cookies on the wire, signed by one side and verified by the other: cookies and keygrip."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ohia import Keygrip

from .cases import examples, names, request, some
from .ohia_side import decode, encode, run_context
from .sides import Sides

keys = some(["a"], ["b", "a"], ["a", "b"], ["é", "c"], ["key number one", "a"])
cookie_names = st.one_of(
    some("a", "b", "sess", "a.b", "a-b", "a b", "$x", "a.sig", "a*", "é"), names
)
cookie_values = st.one_of(
    some(
        "1",
        "x y",
        '"quoted"',
        "é",
        "a=b",
        "%20",
        "a,b",
        "",
        '"',
        "a\tb",
        "\x7f",
        "x;y",
        "a\r\nb",
        "€",
        " x ",
    ),
    names,
)
signing: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {}, optional={"signed": st.booleans()}
)


def last(options: Any, secret: list[str] | None) -> list[Any]:
    """Return the last argument: where there are keys Koa signs only with one."""
    return [options or {}] if secret or options is not None else []


# ---- what the client sends ------------------------------------------------------------------


@st.composite
def sent_cookies(draw: st.DrawFn) -> str:
    """Draw a Cookie field: pairs, some signed, some of the signatures wrong."""
    pairs: list[str] = []
    for _ in range(draw(st.integers(0, 4))):
        name = draw(some("a", "b", "sess", "a.b", "A", "aa"))
        value = draw(some("1", "x", "", "a=b", '"q"', "x y", "é", "a,b", '"', 'x"y"'))
        pairs.append(f"{name}={value}")
        signer = Keygrip([draw(some("a", "b", "unknown"))])
        signature = signer.sign(name + "=" + value.strip('"'))
        pairs.extend(draw(some([], [f"{name}.sig={signature}"], [f"{name}.sig={signature[:-1]}x"])))
    text: str = draw(some("; ", ";", " ; ", ";;")).join(draw(st.permutations(pairs)))
    return text + str(draw(some("", ";", "; x", "=", "; a")))


@examples(350)
@given(
    sent_cookies(),
    st.one_of(st.none(), keys),
    st.lists(
        st.tuples(some("a", "b", "sess", "a.b", "x", "A"), st.one_of(st.none(), signing)),
        max_size=4,
    ),
)
def test_cookies_are_read_and_verified_alike(
    sides: Sides, cookie: str, secret: list[str] | None, asked: list[tuple[str, Any]]
) -> None:
    steps = [["call", "cookies.get", name, *last(options, secret)] for name, options in asked]
    sent = cookie.encode().decode("latin-1")
    case = {"request": request([("Cookie", sent)]), "steps": steps, "after": ["response.header"]}
    sides.contexts("cookies read", case if secret is None else {**case, "app": {"keys": secret}})


# ---- what the client gets -------------------------------------------------------------------

paths = some("/", "/a", "", None, "/p; SameSite=None", "/é", "a", "/a\r\nb", "/x,y")
domains = some(
    "example.com", ".example.com", "", None, "x; secure", "a_b", "é.com", "a..b", "-a", "localhost"
)
attributes = st.fixed_dictionaries(
    {},
    optional={
        "maxAge": some(0, 1000, -1000, 86_400_000, 1500),
        "expires": some({"$": "date", "ms": 0}, {"$": "date", "ms": 1_700_000_000_500}),
        "path": paths,
        "domain": domains,
        "secure": st.booleans(),
        "httpOnly": st.booleans(),
        "sameSite": st.sampled_from([True, False, "strict", "Lax", "NONE", "x", ""]),
        "priority": some("low", "Medium", "HIGH", "x", ""),
        "partitioned": st.booleans(),
        "signed": st.booleans(),
        "overwrite": st.booleans(),
    },
)
setting = st.tuples(
    cookie_names, st.one_of(cookie_values, st.none()), st.one_of(st.none(), attributes)
)


@examples(450)
@given(st.lists(setting, min_size=1, max_size=4), st.one_of(st.none(), keys), st.booleans())
def test_cookies_are_set_alike(
    sides: Sides, settings: list[tuple[Any, ...]], secret: list[str] | None, encrypted: bool
) -> None:
    case: dict[str, Any] = {
        "request": request(),
        "socket": {"encrypted": encrypted},
        "steps": [
            ["call", "cookies.set", name, value, *last(options, secret)]
            for name, value, options in settings
        ],
        "after": ["response.header"],
    }
    sides.contexts("cookies set", case if secret is None else {**case, "app": {"keys": secret}})


# ---- there and back -------------------------------------------------------------------------


def koa_answers(sides: Sides, case: dict[str, Any]) -> Any:
    return sides.driver.ask("ctx", **case)


def ohia_answers(sides: Sides, case: dict[str, Any]) -> Any:
    return sides.runner.run(run_context(case))


@examples(200)
@given(st.booleans(), names, some("1", "a=b", "é", "x y"), keys, some([], ["new"], ["other", "x"]))
def test_what_one_side_signs_the_other_verifies(
    sides: Sides, by_koa: bool, name: str, value: str, secret: list[str], newer: list[str]
) -> None:
    set_it = ["call", "cookies.set", name, value, {"signed": True}]
    signing_case = {"app": {"keys": secret}, "request": request(), "steps": [set_it]}
    answered = (koa_answers if by_koa else ohia_answers)(sides, signing_case)["answer"]
    pairs = [text.partition(";")[0] for field, text in answered["headers"] if field == "set-cookie"]
    sent = "; ".join(pairs)
    if by_koa:
        sent = sent.encode("latin-1").decode()  # Node writes the head as UTF-8 before such a body
    for turned in ([*newer, *secret], ["unknown"]):
        case = {
            "app": {"keys": turned},
            "request": request([("Cookie", sent)]),
            "steps": [["call", "cookies.get", name, {}]],
            "after": ["response.header"],
        }
        sides.contexts("cookies there and back", case)


# ---- keygrip by itself ----------------------------------------------------------------------

data = st.one_of(some("name=jon", "", "é=€", "a=b; c", "\x00", "😀"), st.text(max_size=20))
algorithms = some("sha1", "sha256", "sha512", "md5")
encodings = some("base64", "hex")


@examples(300)
@given(
    st.lists(st.one_of(names, some("é", "k" * 200)), min_size=1, max_size=3),
    algorithms,
    encodings,
    data,
)
def test_signatures_are_the_same_and_each_side_verifies_the_other(
    sides: Sides, secret: list[str], algorithm: str, encoding: str, text: str
) -> None:
    ours = Keygrip(secret, algorithm, encoding)
    old = Keygrip(secret[-1:], algorithm, encoding).sign(text)
    for operation, args in (
        ("sign", [text]),
        ("index", [text, old]),
        ("verify", [text, old]),
        ("index", [text + "x", old]),
        ("index", [text, old + "="]),
        ("verify", [text, ""]),
    ):
        case = {"keys": secret, "algorithm": algorithm, "encoding": encoding}
        case |= {"operation": operation, "args": args}
        ohia = {"ok": encode(getattr(ours, operation)(*decode(args)))}
        sides.answers("keygrip", case, sides.driver.ask("keygrip", **case), ohia)
