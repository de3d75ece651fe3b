"""`await ctx.render(name, **values)`: templates of Jinja as bodies."""

import asyncio
import os
import weakref
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Protocol

from ohia import Context, Middleware, Next
from ohia.extras import missing
from ohia.http.media_type import lookup

if TYPE_CHECKING:
    import jinja2

__all__ = ["Render", "views"]

Folder = str | os.PathLike[str]

# What templates are named after the type of what they make: page.html.jinja is a page.html.
TEMPLATE_SUFFIXES = frozenset({".j2", ".jinja", ".jinja2"})
PIECES_A_TURN = 256  # of a page, before whatever else waits may run


class Render(Protocol):
    """What `ctx.render` is."""

    async def __call__(self, name: str, /, **values: Any) -> str:  # noqa: ANN401 - for the template
        """Set the body to the template `name`, rendered, and return it."""
        ...


def views(
    folder: Folder | Sequence[Folder] = "views",
    *,
    engine: "jinja2.Environment | None" = None,
    extension: str = "html",
    auto_reload: bool | None = None,
    **options: Any,  # noqa: ANN401 - those of jinja2.Environment
) -> Middleware:
    """Give downstream `await ctx.render(name, **values)`, which sets the body and returns it.

    Templates come from `folder`, or the first of several that has them, with `options` for
    jinja2.Environment; or from `engine`, one of your own. A `name` without an extension gets
    `extension`. Templates see `ctx.state`, under `values`. Files are looked at anew each time
    outside production, or as `auto_reload` says.

    Raises ModuleNotFoundError without Jinja2, TypeError for `options` beside an `engine`.
    """
    try:
        from jinja2 import Environment, FileSystemLoader  # noqa: PLC0415 - an extra
    except ImportError:
        raise missing("views()", "jinja2", "views") from None
    if engine is not None and options:
        raise TypeError("views() takes the options of an engine, or the engine, not both")
    own = engine is None
    if engine is None:
        defaults: dict[str, Any] = {
            "loader": FileSystemLoader(folder),
            "enable_async": True,
            "autoescape": _is_markup,
        }
        engine = Environment(**{**defaults, **options})  # noqa: S701 - it escapes by the name
    templates = _Templates(engine)

    async def views(ctx: Context[Any], next: Next) -> None:
        if own or auto_reload is not None:
            reload = ctx.app.env != "production" if auto_reload is None else auto_reload
            templates.environment.auto_reload = reload
        here = weakref.ref(ctx)  # what ctx holds must not hold ctx

        async def render(name: str, /, **values: Any) -> str:  # noqa: ANN401 - for the template
            rendering = here()
            if rendering is None:
                raise RuntimeError("this request is over, and its context is gone")
            return await _render(rendering, templates, _with_extension(name, extension), values)

        ctx.render = render
        await next()

    return views


def _is_markup(name: str | None) -> bool:
    """Say whether the template `name` makes markup, or what a browser might take for it.

    One made of a string has no name, and one without a known type is sent as what it looks like.
    """
    suffix = "" if name is None else PurePath(_output_name(name)).suffix
    kind = lookup(suffix) if suffix else None
    return kind is None or kind.endswith(("html", "xml"))


class _Templates:
    """The templates of one environment; those that were asked for once are at hand."""

    def __init__(self, environment: "jinja2.Environment") -> None:
        self.environment = environment
        self._known: set[str] = set()

    async def get(self, name: str) -> "jinja2.Template":
        """Return the template, read in a thread together with those that it names."""
        environment = self.environment
        if name not in self._known or environment.auto_reload:
            template = await asyncio.to_thread(self._load, name)
            self._known.add(name)
            return template
        return environment.get_template(name)

    def _load(self, name: str) -> "jinja2.Template":
        from jinja2 import TemplateNotFound, meta  # noqa: PLC0415 - an extra

        environment = self.environment
        seen: set[str] = set()
        waiting = [name]
        while waiting and environment.loader is not None:
            each = waiting.pop()
            seen.add(each)
            try:
                source = environment.loader.get_source(environment, each)[0]
                environment.get_template(each)
            except TemplateNotFound:
                continue  # it may be optional; if not, rendering says so
            found = meta.find_referenced_templates(environment.parse(source))
            waiting.extend(other for other in found if other and other not in seen)
        return environment.get_template(name)


async def _render(
    ctx: Context[Any], templates: _Templates, name: str, values: dict[str, Any]
) -> str:
    template = await templates.get(name)
    everything = {name: ctx.state[name] for name in ctx.state} | values
    if templates.environment.is_async:
        text = await _generate(template, everything)
    else:
        text = await asyncio.to_thread(template.render, everything)
    if not ctx.header_sent:  # a socket may want the text alone
        if not ctx.response.has("Content-Type"):
            ctx.type = PurePath(_output_name(name)).suffix
        ctx.body = text
    return text


async def _generate(template: "jinja2.Template", values: dict[str, Any]) -> str:
    pieces: list[str] = []
    async for piece in template.generate_async(values):
        pieces.append(piece)
        if len(pieces) % PIECES_A_TURN == 0:
            await asyncio.sleep(0)
    return "".join(pieces)


def _with_extension(name: str, extension: str) -> str:
    return name if PurePath(name).suffix else f"{name}.{extension.removeprefix('.')}"


def _output_name(name: str) -> str:
    path = PurePath(name)
    return str(path.with_suffix("")) if path.suffix in TEMPLATE_SUFFIXES else name
