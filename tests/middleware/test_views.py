"""Templates as bodies."""

import asyncio
import gc
import os
import sys
import weakref
from pathlib import Path
from typing import Any

import jinja2
import pytest

from ohia import Context, Next, Ohia
from ohia.middleware.views import views
from ohia.testing import Client

TEMPLATES = {
    "user.html": "<p>{{ name }} by {{ who }}",
    "plain.txt": "{{ name }}",
    "feed.xml": "<a>{{ name }}</a>",
    "page.html.jinja": "{% extends 'layout.html' %}{% block main %}<b>{{ name }}</b>{% endblock %}",
    "layout.html": "<title>{{ title|default('none') }}</title>{% block main %}{% endblock %}",
    "strange.unknown": "<p>{{ name }}",
    "bare.j2": "<p>{{ name }}",
    "txt.j2": "<p>{{ name }}",
    "page.shtml": "<p>{{ name }}",
    "feed.rss": "<p>{{ name }}",
    "late.html": "{{ later() }}",
    "long.html": "{% for i in range(1000) %}{{ i }}{% endfor %}",
    "optional.html": "{% include 'none.html' ignore missing %}here",
    "bad.html": "{% if %}",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in TEMPLATES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def app_of(*middleware: Any, **options: Any) -> Ohia:
    app: Ohia = Ohia(**{"env": "test", **options})
    app.use(*middleware)
    return app


def rendering(name: str, /, **values: Any) -> Any:
    async def rendering(ctx: Context) -> None:
        await ctx.render(name, **values)

    return rendering


@pytest.mark.parametrize(
    ("name", "text", "type"),
    [
        ("user", "<p>&lt;b&gt; by tobi", "text/html; charset=utf-8"),
        ("user.html", "<p>&lt;b&gt; by tobi", "text/html; charset=utf-8"),
        ("plain.txt", "<b>", "text/plain; charset=utf-8"),
        ("feed.xml", "<a>&lt;b&gt;</a>", "application/xml"),
        ("page.html.jinja", "<title>none</title><b>&lt;b&gt;</b>", "text/html; charset=utf-8"),
        # What has no type is sent as what it looks like, and escaped in case that is HTML.
        ("strange.unknown", "<p>&lt;b&gt;", "text/html; charset=utf-8"),
        ("bare.j2", "<p>&lt;b&gt;", "text/html; charset=utf-8"),
        ("txt.j2", "<p>&lt;b&gt;", "text/html; charset=utf-8"),
        ("page.shtml", "<p>&lt;b&gt;", "text/html; charset=utf-8"),
        ("feed.rss", "<p>&lt;b&gt;", "application/rss+xml"),
        ("optional", "here", "text/html; charset=utf-8"),
    ],
)
async def test_a_template_is_the_body_with_its_type(
    folder: Path, name: str, text: str, type: str
) -> None:
    async def upstream(ctx: Context, next: Next) -> None:
        ctx.state.who = "tobi"
        ctx.state.name = "of the state"
        await next()

    app = app_of(upstream, views(folder), rendering(name, name="<b>"))
    async with Client(app) as client:
        response = await client.get("/")
    assert (response.status, response.text) == (200, text)
    assert response.headers["content-type"] == type


async def test_status_and_type_that_were_set_stay(folder: Path) -> None:
    async def downstream(ctx: Context) -> None:
        ctx.status = 404
        ctx.type = "application/xhtml+xml"
        assert await ctx.render("user", name="a") == "<p>a by "

    async with Client(app_of(views(folder), downstream)) as client:
        response = await client.get("/")
    assert response.status == 404
    assert response.headers["content-type"] == "application/xhtml+xml"


async def test_what_is_awaited_in_a_template_does_not_block(folder: Path) -> None:
    go = asyncio.Event()

    async def later() -> str:
        await go.wait()
        return "later"

    async def downstream(ctx: Context) -> None:
        if ctx.path == "/go":
            go.set()
            await ctx.render("long")
        else:
            await ctx.render("late", later=later)

    async with Client(app_of(views(folder), downstream)) as client:
        late, long = await asyncio.gather(client.get("/"), client.get("/go"))
    assert late.text == "later"
    assert long.text == "".join(map(str, range(1000)))


@pytest.mark.parametrize(
    ("env", "auto_reload", "second"),
    [
        ("development", None, "new"),
        ("production", None, "old"),
        ("production", True, "new"),
        ("development", False, "old"),
    ],
)
async def test_changes_show_outside_production(
    folder: Path, env: str, auto_reload: bool | None, second: str
) -> None:
    file = folder / "changing.html"
    file.write_text("old")
    app = app_of(views(folder, auto_reload=auto_reload), rendering("changing"), env=env)
    async with Client(app) as client:
        assert (await client.get("/")).text == "old"
        file.write_text("new")
        os.utime(file, (1, 1))  # the clock may be too coarse to tell the two apart
        assert (await client.get("/")).text == second


@pytest.mark.parametrize("is_async", [True, False])
async def test_an_engine_of_ones_own(is_async: bool) -> None:
    engine = jinja2.Environment(  # noqa: S701 - that is the point
        loader=jinja2.DictLoader({"a.html": "{{ name|loud }}"}), enable_async=is_async
    )
    engine.filters["loud"] = str.upper
    app = app_of(views(engine=engine), rendering("a", name="<b>"))
    async with Client(app) as client:
        assert (await client.get("/")).text == "<B>"


async def test_options_go_to_the_engine(folder: Path) -> None:
    options: dict[str, Any] = {
        "variable_start_string": "[[",
        "variable_end_string": "]]",
        "autoescape": False,
    }
    (folder / "square.html").write_text("[[ name ]]")
    app = app_of(views([folder / "none", folder], **options), rendering("square", name="<b>"))
    async with Client(app) as client:
        assert (await client.get("/")).text == "<b>"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("none", jinja2.TemplateNotFound),
        ("../secret.html", jinja2.TemplateNotFound),
        ("/etc/passwd", jinja2.TemplateNotFound),
        ("a\0b", jinja2.TemplateNotFound),
        ("bad", jinja2.TemplateSyntaxError),
    ],
)
async def test_a_template_that_is_not_there_is_an_error(
    folder: Path, name: str, error: type[Exception]
) -> None:
    (folder.parent / "secret.html").write_text("secret")
    async with Client(app_of(views(folder), rendering(name))) as client:
        with pytest.raises(error):
            await client.get("/")


async def test_streams_and_sockets_pass_and_may_use_the_text(folder: Path) -> None:
    async def downstream(ctx: Context) -> None:
        if ctx.upgradable:
            socket = await ctx.upgrade()
            await socket.send(await ctx.render("user", name="a"))
            return
        async with ctx.stream() as out:
            await out.write(await ctx.render("user", name="b"))

    async with Client(app_of(views(folder), downstream)) as client:
        async with client.websocket("/") as socket:
            assert await socket.receive() == "<p>a by "
        assert (await client.get("/")).text == "<p>b by "


async def test_a_ctx_goes_without_the_cycle_collector(folder: Path) -> None:
    seen: list[Any] = []

    async def downstream(ctx: Context) -> None:
        await ctx.render("user")
        seen.append(weakref.ref(ctx))
        seen.append(ctx.render)

    app = app_of(views(folder), downstream, env="production")
    async with Client(app) as client:
        gc.disable()
        try:
            await client.get("/")
            assert seen[0]() is None
        finally:
            gc.enable()
        with pytest.raises(RuntimeError, match="request is over"):
            await seen[1]("user")


def test_what_could_never_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match="not both"):
        views(engine=jinja2.Environment(autoescape=True), trim_blocks=True)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "ohia\[views\]"'):
        views()
