import enum
import functools
import re
import uuid
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest

from ohia import Ohia
from ohia.errors import HTTPError
from ohia.middleware.mount import mount
from ohia.middleware.router import Router
from ohia.testing import Client
from ohia.testing.client import Response


def application(*middleware: Any) -> Ohia:
    app = Ohia(env="test", json_spaces=0)
    app.use(*middleware)
    return app


async def ask(app: Ohia, line: str, **options: Any) -> Response:
    method, url = line.split(" ", 1)
    async with Client(app, raise_errors=False) as client:
        return await client.request(method, url, **options)


def tells(label: str) -> Any:
    """Return a middleware that notes `label` and the parameters, and goes on."""

    async def tell(ctx: Any, next: Any) -> None:
        ctx.body = [*(ctx.body or []), [label, dict(ctx.params)]]
        await next()

    return tell


async def show(ctx: Any) -> None:
    ctx.body = {"params": ctx.params, "route": ctx.route}


# --- verbs and decorators ------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete", "head", "options"])
async def test_a_verb_answers_its_method_alone(verb: str) -> None:
    router = Router()

    async def answer(ctx: Any) -> None:
        ctx.status = 202

    getattr(router, verb)("/x", answer)
    app = application(router)
    assert (await ask(app, f"{verb.upper()} /x")).status == 202
    assert (await ask(app, "TRACE /x")).status == 501


async def test_a_verb_is_a_decorator_behind_the_middleware_it_is_given() -> None:
    router = Router()

    @router.get("/x", tells("guard"), name="x")
    async def answer(ctx: Any) -> None:
        ctx.body = [*ctx.body, "answer"]

    assert (await ask(application(router), "GET /x")).json() == [["guard", {}], "answer"]
    assert answer.__name__ == "answer"


async def test_middleware_of_every_kind_stands_in_a_route() -> None:
    router = Router()

    def generator(ctx: Any, next: Any) -> Any:
        yield next
        ctx.body += " generator"

    def plain(ctx: Any, next: Any) -> Any:
        return next()

    async def last(ctx: Any) -> None:
        ctx.body = "last"

    router.get("/", generator, plain, last)
    assert (await ask(application(router), "GET /")).text == "last generator"


async def test_all_and_register_take_the_methods_that_have_no_verb() -> None:
    router = Router()
    router.all("/any", show)
    router.register("/dav", ["propfind", "MKCOL"], show)
    app = application(router)
    for line in ("BREW /any", "GET /any", "PROPFIND /dav", "MKCOL /dav"):
        assert (await ask(app, line)).status == 200
    assert (await ask(app, "GET /dav")).headers["allow"] == "PROPFIND, MKCOL"


async def test_one_method_is_given_as_text() -> None:
    router = Router(methods="get")
    router.register("/x", "post", show)
    assert [each.methods for each in router.stack] == [("POST",)]
    assert (await ask(application(router), "POST /x")).status == 200
    assert (await ask(application(router), "PUT /x")).status == 501


async def test_methods_may_be_text_with_commas() -> None:
    router = Router(methods="get, put")
    router.register("/x", "get, put", show)
    assert [each.methods for each in router.stack] == [("HEAD", "GET", "PUT")]
    assert (await ask(application(router), "PUT /x")).status == 200
    assert (await ask(application(router), "POST /x")).status == 501


@pytest.mark.parametrize("methods", ["GE T", "", [], ["GET", ""]])
def test_methods_that_are_none_are_refused(methods: Any) -> None:
    with pytest.raises(ValueError, match="methods are"):
        Router().register("/x", methods, show)
    with pytest.raises(ValueError, match="methods are"):
        Router(methods=methods)


async def test_one_route_may_have_several_paths_and_runs_once() -> None:
    router = Router()
    router.get(["/a", "/:x"], tells("it"))
    app = application(router)
    assert (await ask(app, "GET /a")).json() == [["it", {}]]
    assert (await ask(app, "GET /b")).json() == [["it", {"x": "b"}]]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("users", "/users/:id"), "name="),
        (("/a", "not middleware"), "must be a function"),
        (("/:id(\\d+)",), "regular expressions"),
    ],
)
def test_what_could_never_run_is_refused_at_once(arguments: Any, told: str) -> None:
    with pytest.raises((TypeError, ValueError), match=told):
        Router().get(*arguments)


@pytest.mark.parametrize("verb", ["get", "delete", "all"])
def test_a_verb_without_a_path_says_what_to_write(verb: str) -> None:
    told = re.escape(f"{verb}() takes a path: @router.{verb}('/path')")
    for forgotten in (show, 7, [], [show]):
        with pytest.raises(TypeError, match=told):
            getattr(Router(), verb)(forgotten)
    with pytest.raises(TypeError, match=r"param\(\) takes a name"):
        Router().param(show)  # type: ignore[call-overload]


def test_a_parameter_of_the_path_is_no_argument() -> None:
    def handler(ctx: Any, id: Any) -> None:
        ctx.body = id

    router = Router(prefix="/:tenant")
    with pytest.raises(TypeError, match=r"a parameter of the path is ctx.params\['id'\]"):
        router.get("/users/:id:int", handler)
    with pytest.raises(TypeError, match=r"ctx.params\['id'\]"):
        router.get(["/users", "/users/:id"])(handler)
    with pytest.raises(TypeError, match=r"ctx.params\['tenant'\]"):
        router.get("/", show, lambda ctx, tenant: None)
    with pytest.raises(TypeError, match=r"ctx.params\['id'\]"):
        router.use("/users/:id", handler)


async def test_an_argument_that_is_given_by_who_wraps_the_handler_is_none_of_the_path() -> None:
    def handler(ctx: Any, id: Any) -> None:
        ctx.body = str(id)

    @functools.wraps(handler)
    async def injected(ctx: Any) -> None:
        handler(ctx, 7)

    async def going_on(ctx: Any, next: Any) -> None:
        await show(ctx)

    router = Router()
    router.get("/a/:id", injected)
    router.get("/b/:id", functools.partial(handler, id=8))
    router.get("/c/:next", going_on)
    app = application(router)
    assert (await ask(app, "GET /a/1")).text == "7"
    assert (await ask(app, "GET /b/1")).text == "8"
    assert (await ask(app, "GET /c/1")).json()["params"] == {"next": "1"}


def test_an_async_type_is_refused() -> None:
    async def user(text: str) -> str:
        return text

    with pytest.raises(TypeError, match="the type 'user' is a plain function, got the async"):
        Router(types={"user": user})


async def test_a_class_may_be_a_type() -> None:
    class Colour(enum.Enum):
        RED = "red"

    async def answer(ctx: Any) -> None:
        ctx.body = ctx.params["colour"].name

    router = Router(types={"colour": Colour})
    router.get("/:colour:colour", answer)
    assert (await ask(application(router), "GET /red")).text == "RED"
    assert (await ask(application(router), "GET /pink")).status == 404


# --- as in Koa -----------------------------------------------------------------------------------


async def test_routes_and_allowed_methods_do_what_koas_users_expect() -> None:
    posts, api, app = Router(), Router(prefix="/api"), Ohia()
    posts.get("/:id", show)
    api.use("/posts", posts.routes(), posts.allowed_methods())
    app.use(api.routes(), api.allowed_methods())
    assert (await ask(app, "GET /api/posts/1")).json()["params"] == {"id": "1"}
    refused = await ask(app, "POST /api/posts/1")
    assert (refused.status, refused.headers["Allow"]) == (405, "HEAD, GET")
    assert (await ask(app, "GET /nowhere")).status == 404


def test_a_route_that_got_no_middleware_is_told() -> None:
    router = Router()
    router.get("/forgotten")
    with pytest.raises(TypeError, match="/forgotten has no middleware"):
        application(router)


# --- paths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "params", "route"),
    [
        ("/users/5", {"id": 5}, "/users/:id:int"),
        ("/keys/0d0c2a4e-8e3f-4a39-9d23-6b4a5d0f8f11", None, "/keys/:key:uuid"),
        ("/names/caf%C3%A9", {"name": "café"}, "/names/:name"),
        ("/names/a%2Fb", {"name": "a/b"}, "/names/:name"),
        ("/files/a/b%20c", {"path": "a/b c"}, "/files/*path"),
        ("/posts", {}, "/posts{/:page:int}"),
        ("/posts/2", {"page": 2}, "/posts{/:page:int}"),
        ("/posts/2/", {"page": 2}, "/posts{/:page:int}"),
        ("/a.tar.gz", {"name": "a.tar", "type": "gz"}, "/:name.:type"),
        ("/colours/red", {"colour": "RED"}, "/colours/:colour:loud"),
    ],
)
async def test_parameters_are_decoded_once_and_read_by_their_types(
    path: str, params: dict[str, Any] | None, route: str
) -> None:
    router = Router(types={"loud": str.upper})
    for template in (
        "/users/:id:int",
        "/keys/:key:uuid",
        "/names/:name",
        "/files/*path",
        "/posts{/:page:int}",
        "/:name.:type",
        "/colours/:colour:loud",
    ):
        router.get(template, show)
    shown = (await ask(application(router), f"GET {path}")).json()
    assert shown["route"] == route
    assert params is None or shown["params"] == params


async def test_a_typed_parameter_is_a_value_of_its_type() -> None:
    router, seen = Router(), list[Any]()

    @router.get("/:key:uuid/:size:float")
    async def note(ctx: Any) -> None:
        seen.extend(ctx.params.values())

    key = uuid.uuid4()
    await ask(application(router), f"GET /{key}/1.5")
    assert seen == [key, 1.5]


@pytest.mark.parametrize(
    "path",
    [
        "/users/x",  # no int
        "/users/",
        "/users",
        "/Users/5",
        "/users/5/x",
        "//users/5",
        "/users//5",
        "/users%2F5",
        "/users/%zz",
        "/users/%00",
        "/names/%c0%af",
        "/names/..",
        "/names/%2e%2E",
        "/names/.",
        "/files/../names/x",
        "/files/a/%2e%2e/b",
        "/./names/x",
    ],
)
async def test_what_no_route_means_is_not_found(path: str) -> None:
    router = Router()
    router.get("/users/:id:int", show)
    router.get("/names/:name", show)
    router.get("/files/*path", show)
    assert (await ask(application(router), f"GET {path}")).status == 404


UNCLEAR = ["/files//a", "/files/a//b", "/files/a%2Fb", "/files/%2fa", "/files/a%5Cb", "/files/a//"]


@pytest.mark.parametrize("path", UNCLEAR)
async def test_a_wildcard_lets_nothing_through_that_others_may_cut_otherwise(path: str) -> None:
    async def downstream(ctx: Any) -> None:
        ctx.body = "downstream"

    router = Router()
    router.get("/files/*path", show)
    app = application(router, downstream)
    assert (await ask(app, f"GET {path}")).status == 404
    assert (await ask(app, f"POST {path}")).text == "downstream"  # is not the route's
    assert (await ask(app, "GET /files/a/b")).json()["params"] == {"path": "a/b"}


@pytest.mark.parametrize(
    "path",
    [
        *("/admin/users/7", "/admin/users/a%2Fb", "/admin//users/7", "/admin/users/a%5C"),
        *("/admin/./users/7", "/admin/%2e/users/7", "/admin/x/../users/7", "/admin/.."),
        *("/admin/%zz", "/admin/%ff", "/admin/%00", "/%61dmin/%c0%af", "/admin/users/7%"),
    ],
)
async def test_a_wildcard_that_guards_other_routes_is_never_passed_over(path: str) -> None:
    async def guard(ctx: Any, next: Any) -> None:
        ctx.throw(401)

    async def downstream(ctx: Any) -> None:
        ctx.body = "downstream"

    router = Router()
    router.all("/admin/*rest", guard)
    router.get("/admin/users/:name", show)
    app = application(router, mount("/admin", downstream))
    assert (await ask(app, f"GET {path}")).status in {401, 404}


@pytest.mark.parametrize("path", ["*", "/none/..", "/none/%zz", "/users/x/.."])
async def test_what_no_route_would_take_goes_downstream_however_it_is_spelled(path: str) -> None:
    async def downstream(ctx: Any) -> None:
        ctx.body = "downstream"

    router = Router()
    router.get("/users/:id:int", show)
    router.post("/*rest", show)
    assert (await ask(application(router, downstream), f"GET {path}")).text == "downstream"


async def test_the_clear_one_of_several_paths_of_a_route_counts() -> None:
    router = Router(exclusive=True)
    router.get(["/names/*rest", "/names/:name"], show)
    router.get("/*rest", show)
    shown = (await ask(application(router), "GET /names/a%2Fb")).json()
    assert shown["params"] == {"name": "a/b"}


async def test_a_literal_is_met_in_any_spelling_of_its_characters() -> None:
    router = Router()
    router.get("/admin/a b", show)
    app = application(router)
    assert (await ask(app, "GET /%61dmin/a%20b")).status == 200
    assert (await ask(app, "GET /admin%2Fa%20b")).status == 404


@pytest.mark.parametrize(
    ("strict", "path", "status"),
    [
        (False, "/a", 200),
        (False, "/a/", 200),
        (False, "/a//", 404),
        (False, "/b/", 200),
        (False, "/b", 404),
        (True, "/a", 200),
        (True, "/a/", 404),
        (True, "/b/", 200),
        (True, "/b", 404),
    ],
)
async def test_a_slash_at_the_end(strict: bool, path: str, status: int) -> None:
    router = Router(strict=strict)
    router.get("/a", show)
    router.get("/b/", show)
    assert (await ask(application(router), f"GET {path}")).status == status


async def test_a_rewritten_path_is_what_is_matched() -> None:
    async def rewrite(ctx: Any, next: Any) -> None:
        ctx.path = "/new"
        await next()

    router = Router()
    router.get("/new", show)
    assert (await ask(application(rewrite, router), "GET /old")).status == 200


# --- several routes, and `use` -------------------------------------------------------------------


async def test_all_routes_that_match_run_in_the_order_of_registration() -> None:
    router = Router()
    router.all("/admin/*rest", tells("guard"))
    router.get("/:area/:x", tells("any"))
    router.get("/admin/users", tells("users"))
    assert (await ask(application(router), "GET /admin/users")).json() == [
        ["guard", {"rest": "users"}],
        ["any", {"rest": "users", "area": "admin", "x": "users"}],
        ["users", {"rest": "users", "area": "admin", "x": "users"}],
    ]


async def test_the_template_shown_is_that_of_the_route_that_was_entered_last() -> None:
    router, seen = Router(), list[str | None]()

    async def note(ctx: Any, next: Any) -> None:
        seen.append(ctx.route)
        await next()
        seen.append(ctx.route)

    router.get("/:x", note)
    router.get("/a", note)
    await ask(application(router), "GET /a")
    assert seen == ["/:x", "/a", "/a", "/a"]


async def test_exclusive_runs_the_most_specific_alone() -> None:
    router = Router(exclusive=True)
    for template in ("/*rest", "/:x", "/:n:int", "/a:x", "/ab"):
        router.get(template, tells(template))
    app = application(router)
    for path, template in {
        "/ab": "/ab",
        "/ac": "/a:x",
        "/7": "/:n:int",
        "/x": "/:x",
        "/x/y": "/*rest",
    }.items():
        ((label, _),) = (await ask(app, f"GET {path}")).json()
        assert label == template


async def test_use_runs_for_what_a_route_behind_it_answers_and_for_nothing_else() -> None:
    router, seen = Router(), list[str]()

    @router.use
    async def note(ctx: Any, next: Any) -> None:
        seen.append(ctx.path)
        await next()

    router.get("/a", show)
    app = application(router)
    for line in ("GET /a", "POST /a", "GET /b", "OPTIONS /a"):
        await ask(app, line)
    assert seen == ["/a"]


async def test_use_with_a_path_runs_below_it() -> None:
    router = Router()
    router.use("/a", tells("a"))
    router.use(["/b", "/c/:id"], tells("several"))
    for path in ("/a", "/a/x", "/ab", "/b/x", "/c/:id/y"):
        router.get(path, tells("route"))
    app = application(router)

    async def labels(path: str) -> list[str]:
        return [label for label, _ in (await ask(app, f"GET {path}")).json()]

    assert await labels("/a") == await labels("/a/") == await labels("/a/x") == ["a", "route"]
    assert await labels("/%61/x") == ["a", "route"]
    assert await labels("/ab") == ["route"]
    assert await labels("/b/x") == ["several", "route"]
    assert (await ask(app, "GET /c/5/y")).json()[0] == ["several", {"id": "5"}]


async def test_use_with_a_path_is_a_decorator_too() -> None:
    router = Router()

    @router.use("/a")
    async def guard(ctx: Any, next: Any) -> None:
        ctx.throw(403)

    router.get("/:x", show)
    app = application(router)
    assert (await ask(app, "GET /a")).status == 403
    assert (await ask(app, "GET /b")).status == 200


@pytest.mark.parametrize("path", ["/", None])
@pytest.mark.parametrize("prefix", ["", "/x/:id", "/x/:id:int", "/:a/:b", "/x{/:id}"])
async def test_a_guard_runs_for_each_route_that_it_stands_before(
    prefix: str, path: str | None
) -> None:
    router = Router(prefix=prefix)  # CVE-2026-9495

    async def guard(ctx: Any, next: Any) -> None:
        ctx.throw(401)

    router.use(guard) if path is None else router.use(path, guard)
    router.get("/", show)
    router.get("/secret", show)
    router.get("/secret/*rest", show)
    outer = Router()
    outer.use(router)
    for app in (application(router), application(outer)):
        for ending in ("", "/", "/secret", "/secret/", "/%73ecret", "/secret/a/b"):
            base = "" if not prefix else "/x/5"
            answer = await ask(app, f"GET {base + ending or '/'}")
            assert answer.status == 401, ending


async def test_what_is_used_behind_a_route_runs_behind_it() -> None:
    router = Router()
    router.get("/open", tells("open"))
    router.use(tells("late"))
    router.get("/closed", tells("closed"))
    app = application(router)
    assert [label for label, _ in (await ask(app, "GET /open")).json()] == ["open", "late"]
    assert [label for label, _ in (await ask(app, "GET /closed")).json()] == ["late", "closed"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "at least one"),
        (("/a/*rest", show), "write it without"),
        (("/a", "x"), "must be a function"),
        (("a", show), "begins with a slash"),
    ],
)
def test_use_refuses_what_could_never_run(arguments: Any, told: str) -> None:
    with pytest.raises((TypeError, ValueError), match=told):
        Router().use(*arguments)


# --- nesting -------------------------------------------------------------------------------------


async def test_routers_stand_inside_one_another_with_their_prefixes() -> None:
    posts = Router(prefix="/posts")
    posts.get("/", show)
    posts.get("/:post:int", show, name="post")
    forums = Router(prefix="/forums")
    forums.use("/:forum", posts)
    app = application(forums)
    assert (await ask(app, "GET /forums/js/posts")).json()["params"] == {"forum": "js"}
    assert (await ask(app, "GET /forums/js/posts/7")).json() == {
        "params": {"forum": "js", "post": 7},
        "route": "/forums/:forum/posts/:post:int",
    }
    assert forums.url_for("post", forum="a b", post=7) == "/forums/a%20b/posts/7"


async def test_what_a_router_uses_is_for_its_own_routes_alone() -> None:
    inner, outer = Router(), Router()
    inner.use(tells("inner"))
    inner.get("/x", tells("x"))
    outer.use(tells("outer"))
    outer.use("/in", inner)
    outer.get("/in/y", tells("y"))
    app = application(outer)
    assert [label for label, _ in (await ask(app, "GET /in/x")).json()] == ["outer", "inner", "x"]
    assert [label for label, _ in (await ask(app, "GET /in/y")).json()] == ["outer", "y"]


async def test_routes_added_later_and_deeper_are_seen() -> None:
    inner, outer = Router(), Router()
    outer.use("/in", inner)
    app = application(outer)
    async with Client(app) as client:
        assert (await client.get("/in/x")).status == 404
        inner.get("/x", show)
        assert (await client.get("/in/x")).status == 200


async def test_one_router_may_stand_in_two_places() -> None:
    inner, outer = Router(), Router()
    inner.get("/x", show)
    outer.use(["/a", "/b/:id"], inner)
    app = application(outer)
    assert (await ask(app, "GET /a/x")).json()["route"] == "/a/x"
    assert (await ask(app, "GET /b/1/x")).json()["route"] == "/b/:id/x"


def test_a_router_cannot_be_inside_itself_nor_have_a_host_inside_another() -> None:
    inner, outer = Router(), Router()
    outer.use(inner)
    for each in (inner, outer):
        with pytest.raises(ValueError, match="inside of itself"):
            inner.use(each)
    with pytest.raises(ValueError, match="used by the application"):
        outer.use(Router(host="example.com"))


@pytest.mark.parametrize("options", [{"exclusive": True}, {"throw": True}, {"methods": ["GET"]}])
def test_what_the_outermost_router_decides_is_not_said_inside(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"`{next(iter(options))}` is for the router that"):
        Router().use(Router(**options))
    Router(**options).use(Router(**options))
    Router(**options).use(Router())


# --- parameters ----------------------------------------------------------------------------------


async def test_param_handlers_run_once_for_each_value_in_the_order_of_the_path() -> None:
    router, seen = Router(), list[Any]()

    @router.param("b")
    async def second(value: Any, ctx: Any, next: Any) -> None:
        seen.append(value)
        await next()

    @router.param("a")
    def first(value: Any, ctx: Any, next: Any) -> Any:
        seen.append(value)
        yield next

    router.use("/:a", tells("use"))
    router.get("/:a/:b:int", tells("one"))
    router.get("/:a/:b", tells("two"))
    router.get("/:c", tells("other"))
    app = application(router)
    await ask(app, "GET /x/7")
    assert seen == ["x", 7, "7"]  # two routes read it in two ways


def owns(*names: str) -> Any:
    """Return a `param` handler that lets in nothing but `names`."""

    async def owns(value: Any, ctx: Any, next: Any) -> None:
        ctx.assert_(value in names, 403)
        await next()

    return owns


@pytest.mark.parametrize(
    ("path", "status"), [("/mine/mine", 200), ("/theirs/mine", 403), ("/mine/theirs", 403)]
)
@pytest.mark.parametrize(
    "templates",
    [
        ["/:a/:b"],  # two parameters, one handler
        ["/:a/:x", "/:x/:a"],  # one parameter, two places
        ["/:b/*a"],
        ["/:a/*x", "/:x/*a"],
    ],
)
async def test_each_value_is_checked_where_handlers_are_shared(
    templates: list[str], path: str, status: int
) -> None:
    router, check = Router(), owns("mine")
    for name in ("a", "b"):
        router.param(name, check)
    for template in templates:
        router.get(template, tells(template))
    assert (await ask(application(router), f"GET {path}")).status == status


async def test_a_handler_may_put_what_it_found_in_place_of_the_value() -> None:
    router = Router(prefix="/:user")

    @router.param("user")
    async def find(value: str, ctx: Any, next: Any) -> None:
        ctx.params["user"] = {"name": value}
        await next()

    router.use(tells("all"))
    router.use("/a", tells("some"))
    router.get("/a", show)
    shown = (await ask(application(router), "GET /tobi/a")).json()
    assert shown["params"] == {"user": {"name": "tobi"}}


@pytest.mark.parametrize(("path", "status"), [("/x", 200), ("/x/mine", 200), ("/x/theirs", 403)])
async def test_a_handler_of_an_optional_parameter_in_a_prefix(path: str, status: int) -> None:
    router = Router(prefix="/x{/:id}")
    router.param("id", owns("mine"))
    router.use(tells("use"))
    router.get("/", tells("route"))
    assert (await ask(application(router), f"GET {path}")).status == status


async def test_what_a_router_uses_has_the_parameters_of_its_own_routes() -> None:
    first, second, outer = Router(), Router(prefix="/:b"), Router()
    first.get("/:a", tells("first"))
    second.param("b", owns("mine"))
    second.use(tells("use"))
    second.get("/", tells("second"))
    outer.use(first, second)
    app = application(outer)
    assert (await ask(app, "GET /mine")).json() == [
        ["first", {"a": "mine"}],
        ["use", {"a": "mine", "b": "mine"}],
        ["second", {"a": "mine", "b": "mine"}],
    ]
    assert (await ask(app, "GET /theirs")).status == 403


async def test_a_param_handler_may_answer_itself_and_is_for_routers_inside_too() -> None:
    inner, outer = Router(), Router()
    inner.get("/show", show)
    outer.use("/:user", inner)

    async def refuse(value: str, ctx: Any, next: Any) -> None:
        ctx.assert_(value == "tobi", 404, "no such user")
        await next()

    outer.param("user", refuse)
    app = application(outer)
    assert (await ask(app, "GET /tobi/show")).status == 200
    assert (await ask(app, "GET /loki/show")).text == "no such user"


# --- names and redirects -------------------------------------------------------------------------


def test_paths_are_built_by_name() -> None:
    router = Router(prefix="/api")
    router.get("/users/:id:int", show, name="user")
    assert router.url_for("user", id=3) == "/api/users/3"
    assert router.url_for("user", {"id": 3}, query={"a": "b c"}) == "/api/users/3?a=b+c"
    with pytest.raises(ValueError, match="needs a value for id"):
        router.url_for("user")
    with pytest.raises(LookupError, match="'nobody'"):
        router.url_for("nobody")
    with pytest.raises(ValueError, match="two routes of the name"):
        router.get("/other", show, name="user")


def test_a_name_is_not_compared_with_all_others() -> None:
    class Name(str):
        __slots__ = ()
        compared: ClassVar[list[str]] = []
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            self.compared.append(self)
            return super().__eq__(other)

    router = Router()
    for number in range(100):
        router.get(f"/{number}", show, name=Name(f"route {number}"))
    assert router.url_for(Name("route 7")) == "/7"
    assert len(Name.compared) < 100


@pytest.mark.parametrize(
    ("source", "destination", "path", "location"),
    [
        ("/old", "/new", "/old", "/new"),
        ("/old/:id", "/new/:id", "/old/a%2Fb", "/new/a%2Fb"),
        ("/old/:id", "/:id", "/old/%2Fevil.com", "/%2Fevil.com"),
        ("/old/:id", "/:id", "/old/%5Cevil.com", "/%5Cevil.com"),
        ("/old/*path", "/*path", "/old/a%20b/c/", "/a%20b/c/"),
        ("/old{/:id}", "/new{/:id}", "/old", "/new"),
        ("{/:language}/old", "{/:language}/new", "/fr/old", "/fr/new"),
        ("{/:language}/old", "{/:language}/new", "/old", "/new"),
        ("/old{/:id}", "/new{/:id}", "/old/1", "/new/1"),
        ("/old", "http://example.com/x", "/old", "http://example.com/x"),
        ("/old/:id", "user", "/old/7", "/users/7"),
        ("home", "/start", "/home", "/start"),
    ],
)
async def test_redirects(source: str, destination: str, path: str, location: str) -> None:
    router = Router()
    router.get("/users/:id:int", show, name="user")
    if source == "home":
        router.post("/home", show, name="home")
    router.redirect(source, destination)
    answer = await ask(application(router), f"GET {path}")
    assert (answer.status, answer.headers["location"]) == (301, location)


@pytest.mark.parametrize(
    ("source", "destination", "path"),
    [
        ("/old/*path", "/*path", "/old//evil.com"),
        ("/old/*path", "/*path", "/old/%2Fevil.com"),
        ("/old/*path", "/*path", "/old/%5Cevil.com"),
        ("/old/*path", "/*path", "/old/\\evil.com"),
        ("/old/*path", "/*path", "/old/%2e%2e%2fa"),
        ("/old/*path", "everything", "/old//evil.com"),
        ("/old/:id", "user", "/old/x"),  # what the route would not read
        ("/old{/:id}", "/new/:id", "/old"),
        ("/old{/:id}", "user", "/old"),
    ],
)
async def test_a_redirect_that_leads_nowhere_is_a_404(
    source: str, destination: str, path: str
) -> None:
    router = Router()
    router.get("/users/:id:int", show, name="user")
    router.post("/*path", show, name="everything")
    router.redirect(source, destination)
    answer = await ask(application(router), f"GET {path}")
    assert (answer.status, answer.headers.get("location")) == (404, None)


def test_no_path_that_is_built_or_redirected_to_leads_to_another_host() -> None:
    router = Router()
    router.get("/*path", show, name="everything")
    for path in ("/evil.com", "\\evil.com", "/\\evil.com"):
        with pytest.raises(ValueError, match="cannot be path"):
            router.url_for("everything", path=path)
    with pytest.raises(ValueError, match="empty or dot segment"):
        router.redirect("/old", "//evil.com")


async def test_a_redirect_has_the_status_it_is_given_and_any_method() -> None:
    router = Router()
    router.redirect("/old", "/new", status=308)
    assert (await ask(application(router), "POST /old")).status == 308
    with pytest.raises(LookupError):
        router.redirect("nobody", "/x")


def test_routes_are_listed_with_whole_paths() -> None:
    inner, outer = Router(), Router(prefix="/api")
    inner.get("/x", show, name="x")
    outer.use("/:v", inner)
    outer.all("/any", show)
    listed = [(each.paths, each.methods, each.name) for each in outer.stack]
    assert listed == [(("/api/:v/x",), ("HEAD", "GET"), "x"), (("/api/any",), None, None)]


# --- HEAD, OPTIONS, 405, 501 ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "status", "allow"),
    [
        ("HEAD /x", 200, None),
        ("OPTIONS /x", 200, "HEAD, GET, POST"),
        ("DELETE /x", 405, "HEAD, GET, POST"),
        ("BREW /x", 501, "HEAD, GET, POST"),
        ("BREW /none", 501, None),
        ("DELETE /none", 404, None),
        ("OPTIONS /none", 404, None),
        ("PROPFIND /x", 405, "HEAD, GET, POST"),  # known by another route
        ("OPTIONS /own", 204, None),
    ],
)
async def test_methods_that_no_route_has(line: str, status: int, allow: str | None) -> None:
    router = Router()

    async def own(ctx: Any) -> None:
        ctx.status = 204

    router.get("/x", show)
    router.post("/x", show)
    router.options("/own", own)
    router.register("/dav", ["PROPFIND"], show)
    answer = await ask(application(router), line)
    assert (answer.status, answer.headers.get("allow")) == (status, allow)


async def test_a_head_answer_has_no_body_but_its_length() -> None:
    router = Router()
    router.get("/x", show)
    answer = await ask(application(router), "HEAD /x")
    assert answer.content == b""
    assert int(answer.headers["content-length"]) > 0


async def test_routers_one_after_the_other_share_what_they_allow() -> None:
    first, second = Router(), Router()
    first.get("/x", show)
    second.put("/x", show)
    app = application(first, second)
    assert (await ask(app, "PUT /x")).status == 200
    assert (await ask(app, "DELETE /x")).headers["allow"] == "HEAD, GET, PUT"


async def test_an_answer_from_downstream_stays() -> None:
    async def catch_all(ctx: Any) -> None:
        ctx.body = "caught"

    router = Router()
    router.get("/x", show)
    answer = await ask(application(router, catch_all), "POST /x")
    assert (answer.status, answer.text) == (200, "caught")


@pytest.mark.parametrize("line", ["POST /x", "PROPFIND /x", "OPTIONS /x", "BREW /none"])
async def test_a_404_with_a_body_from_downstream_stays(line: str) -> None:
    async def not_found(ctx: Any) -> None:
        ctx.status = 404
        ctx.body = {"error": "none"}

    router = Router(throw=True)
    router.get("/x", show)
    answer = await ask(application(router, not_found), line)
    assert (answer.status, answer.json()) == (404, {"error": "none"})
    assert "allow" not in answer.headers


async def test_a_404_of_a_route_stays_one() -> None:
    async def absent(ctx: Any) -> None:
        ctx.status = 404

    router = Router()
    router.get("/x", absent)
    answer = await ask(application(router), "GET /x")
    assert (answer.status, answer.headers.get("allow")) == (404, None)


@pytest.mark.parametrize(("line", "status"), [("POST /x", 405), ("BREW /x", 501)])
async def test_throw_raises_instead(line: str, status: int) -> None:
    router, caught = Router(throw=True), list[HTTPError]()
    router.get("/x", show)

    async def upstream(ctx: Any, next: Any) -> None:
        try:
            await next()
        except HTTPError as error:
            caught.append(error)
            raise

    answer = await ask(application(upstream, router), line)
    assert (answer.status, answer.headers["allow"]) == (status, "HEAD, GET")
    assert caught[0].status == status


async def test_made_up_methods_are_not_remembered() -> None:
    router = Router()
    router.all("/x", show)
    app = application(router)
    async with Client(app) as client:
        for number in range(50):
            assert (await client.request(f"M{number}", "/x")).status == 200
    table = router._table
    assert table is not None
    assert len(table.fixed) == 0


# --- hosts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "asked", "status"),
    [
        ("example.com", "example.com", 200),
        ("example.com", "EXAMPLE.com:8080", 200),
        ("example.com:80", "example.com:81", 404),
        (["a.test", "*.b.test"], "x.b.test", 200),
        (["a.test", "*.b.test"], "b.test", 404),
        ("example.com", "evil.com", 404),
        ("example.com", "example.com/evil", 404),
    ],
)
async def test_a_router_of_a_host(host: str | list[str], asked: str, status: int) -> None:
    router = Router(host=host)
    router.get("/", show)
    assert (await ask(application(router), "GET /", headers={"Host": asked})).status == status


# --- what is seen around it ----------------------------------------------------------------------


async def test_route_and_params_are_seen_upstream() -> None:
    seen: list[Any] = []

    async def logger(ctx: Any, next: Any) -> None:
        seen.append((ctx.route, dict(ctx.params)))
        await next()
        seen.append((ctx.route, dict(ctx.params)))

    router = Router()
    router.get("/users/:id", show)
    app = application(logger, router)
    await ask(app, "GET /users/1")
    await ask(app, "GET /none")
    assert seen == [(None, {}), ("/users/:id", {"id": "1"}), (None, {}), (None, {})]


async def test_params_of_a_router_around_are_kept() -> None:
    inner, outer = Router(), Router()
    inner.get("/:a/:b", show)
    outer.get("/:a/*rest", tells("outer"), inner)
    shown = (await ask(application(outer), "GET /x/y")).json()
    assert shown["params"] == {"a": "x", "rest": "y", "b": "y"}


async def test_next_of_the_last_route_goes_downstream() -> None:
    async def downstream(ctx: Any) -> None:
        ctx.body = [*ctx.body, "downstream"]

    router = Router()
    router.get("/x", tells("x"))
    assert (await ask(application(router, downstream), "GET /x")).json() == [
        ["x", {}],
        "downstream",
    ]


async def test_lifespans_inside_are_handed_on() -> None:
    events: list[str] = []

    async def carrier(ctx: Any, next: Any) -> None: ...

    async def lifespan(app: Ohia) -> AsyncIterator[None]:
        events.append("up")
        yield
        events.append("down")

    carrier.lifespan = lifespan  # type: ignore[attr-defined]
    inner, outer = Router(), Router()
    app = application(outer)
    assert outer.lifespan is None
    outer.use(inner)
    inner.get("/x", carrier)
    async with app.lifespan_context():
        assert events == ["up"]
    assert events == ["up", "down"]


async def test_a_socket_is_an_ordinary_route() -> None:
    router = Router()

    @router.use
    async def header(ctx: Any, next: Any) -> None:
        ctx.set("X-Router", "1")
        await next()

    @router.get("/rooms/:room")
    async def room(ctx: Any) -> None:
        socket = await ctx.upgrade()
        await socket.send(f"{ctx.route} {ctx.params['room']}")

    async with (
        Client(application(router)) as client,
        client.websocket("/rooms/a%20b") as socket,
    ):
        assert socket.headers["x-router"] == "1"
        assert await socket.receive() == "/rooms/:room a b"


async def test_a_stream_in_the_chain_passes_through() -> None:
    router = Router()

    @router.get("/stream")
    async def stream(ctx: Any) -> None:
        async with ctx.stream() as out:
            await out.write(b"one ")
            await out.write(b"two")

    assert (await ask(application(router), "GET /stream")).text == "one two"


async def test_a_router_keeps_no_request() -> None:
    router = Router()  # its plans and tables hold templates, never a ctx
    router.get("/:x", tells("x"))
    router.get("/*rest", tells("rest"))
    app = application(router)
    async with Client(app) as client:
        for number in range(100):
            await client.get(f"/{number}")
    table = router._table
    assert table is not None
    assert len(table._plans) == 1
