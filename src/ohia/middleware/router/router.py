"""The router as users see it: verbs, `use`, `param`, names, nesting; itself a middleware."""

# ruff: noqa: SLF001 - routers inside of one another share their parts

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from ohia import Middleware, Next
from ohia.errors import http_error
from ohia.http.host_pattern import check_host_pattern, find_host
from ohia.http.listed import field_names
from ohia.http.query import format_query
from ohia.lifespan import LifespanFunction, join_lifespans
from ohia.middleware.router.checks import check_handlers, path_texts
from ohia.middleware.router.pattern import TYPES, Pattern, Type, parse_template
from ohia.middleware.router.table import Layer, Miss, Scope, Table
from ohia.plain import plain

__all__ = ["Route", "Router"]

MiddlewareT = TypeVar("MiddlewareT", bound=Callable[..., Any])
HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])
Paths = str | list[str] | tuple[str, ...]
Handler = Callable[[Any, Any, Next], Any]
"""Takes the value of a parameter, ctx and next."""

METHODS = ("HEAD", "OPTIONS", "GET", "PUT", "PATCH", "POST", "DELETE")


@dataclass(eq=False)
class Route:
    """What a verb has registered. As a decorator it adds a function behind what it has."""

    paths: tuple[str, ...]
    methods: tuple[str, ...] | None
    name: str | None = None
    middleware: list[Callable[..., Any]] = field(default_factory=list[Callable[..., Any]])
    changed: Callable[[], None] = lambda: None
    parameters: frozenset[str] = frozenset()
    """The names of what its paths read."""

    def __call__(self, function: MiddlewareT) -> MiddlewareT:
        """Add `function` as the last middleware, and return it."""
        check_handlers(self.parameters, function)
        self.middleware.append(function)
        self.changed()
        return function


@dataclass(frozen=True, slots=True)
class _Use:
    """What `use` added: middleware and routers, for `paths` or for all of its router."""

    paths: tuple[str, ...]
    middleware: "tuple[Callable[..., Any] | Router, ...]"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a router stands in the table of another."""

    prefix: Pattern
    scopes: tuple[Scope, ...]
    routers: "tuple[Router, ...]"


class Router:
    """A middleware that answers by method and path: `app.use(router)`.

    `prefix` stands before each path. `host`: one or several, `name`, `name:port` or
    `*.parent`; other hosts go downstream. `exclusive`: of several routes that match, only the
    most specific runs. `strict`: a slash at the end counts. `methods`: those that are not 501.
    `types`: readers of parameters, by name, beside str, int, float and uuid. `throw`: raise
    405 and 501 instead of setting them. TypeError for an async function among `types`.
    """

    def __init__(
        self,
        *,
        prefix: str = "",
        host: str | Sequence[str] | None = None,
        exclusive: bool = False,
        strict: bool = False,
        methods: str | Iterable[str] = METHODS,
        types: Mapping[str, Type] | None = None,
        throw: bool = False,
        _name: str | None = None,
    ) -> None:
        self.prefix: str = prefix.removesuffix("/")
        self.exclusive = exclusive
        self.strict = strict
        self.methods: frozenset[str] = frozenset(_methods(methods))
        self.throw = throw
        self._name = _name or f"router {self.prefix}".rstrip()
        self._types = {**TYPES, **(types or {})}
        for type_name, read in (types or {}).items():
            plain(f"the type {type_name!r}", read)
        self._pattern = self._parse(self.prefix)
        self._hosts = dict.fromkeys(map(check_host_pattern, _strings(host or ())), self)
        self._entries: list[Route | _Use] = []
        self._own: dict[str, Route] = {}
        self._handlers: list[tuple[str, Handler]] = []
        self._outer: list[Router] = []
        self._table: Table | None = None
        self._layers: tuple[Layer, ...] | None = None
        self._patterns: dict[str, Pattern] = {}
        """By the names of routes, where `_layers` is."""

    # --- registering ---------------------------------------------------------------------------

    def get(self, path: Paths, *middleware: Callable[..., Any], name: str | None = None) -> Route:
        """Answer GET on `path`, and HEAD.

        `middleware` runs in order; the returned route is a decorator for one more. TypeError
        or ValueError for what could never run or match. The other verbs are alike.
        """
        return self.register(path, ["GET"], *middleware, name=name)

    def post(self, path: Paths, *middleware: Callable[..., Any], name: str | None = None) -> Route:
        """Answer POST on `path`."""
        return self.register(path, ["POST"], *middleware, name=name)

    def put(self, path: Paths, *middleware: Callable[..., Any], name: str | None = None) -> Route:
        """Answer PUT on `path`."""
        return self.register(path, ["PUT"], *middleware, name=name)

    def patch(self, path: Paths, *middleware: Callable[..., Any], name: str | None = None) -> Route:
        """Answer PATCH on `path`."""
        return self.register(path, ["PATCH"], *middleware, name=name)

    def delete(
        self, path: Paths, *middleware: Callable[..., Any], name: str | None = None
    ) -> Route:
        """Answer DELETE on `path`."""
        return self.register(path, ["DELETE"], *middleware, name=name)

    def head(self, path: Paths, *middleware: Callable[..., Any], name: str | None = None) -> Route:
        """Answer HEAD on `path`."""
        return self.register(path, ["HEAD"], *middleware, name=name)

    def options(
        self, path: Paths, *middleware: Callable[..., Any], name: str | None = None
    ) -> Route:
        """Answer OPTIONS on `path`, instead of the router."""
        return self.register(path, ["OPTIONS"], *middleware, name=name)

    def all(self, path: Paths, *middleware: Callable[..., Any], name: str | None = None) -> Route:
        """Answer any method on `path`."""
        return self.register(path, None, *middleware, name=name)

    def register(
        self,
        path: str | Sequence[str],
        methods: str | Iterable[str] | None,
        *middleware: Callable[..., Any],
        name: str | None = None,
    ) -> Route:
        """Answer `methods`, one or several, None for any, on `path`, or on each of several."""
        paths = path_texts(path, methods)
        patterns = [self._full(self._pattern, each).check() for each in paths]
        parameters = _parameters(patterns)
        if name in self._own:
            raise ValueError(f"two routes of the name {name!r}")
        check_handlers(parameters, *middleware)
        verbs = None if methods is None else tuple(_with_head(_methods(methods)))
        route = Route(paths, verbs, name, list(middleware), self._changed, parameters)
        if name is not None:
            self._own[name] = route
        self._entries.append(route)
        self._changed()
        return route

    @overload
    def use(self, path: Paths, /) -> Callable[[MiddlewareT], MiddlewareT]: ...
    @overload
    def use(
        self, path: Paths, middleware: MiddlewareT, /, *more: Callable[..., Any]
    ) -> MiddlewareT: ...
    @overload
    def use(self, middleware: MiddlewareT, /, *more: Callable[..., Any]) -> MiddlewareT: ...
    def use(self, *arguments: Any) -> Any:
        """Add middleware or routers: `use(middleware, ...)` or `use(path, middleware, ...)`.

        Runs for each request that some route behind it answers: of this router, and of those in
        it; with a path, or several, only where the request's path begins with it. Returns the
        first middleware, or a decorator where only a path is given.
        """
        paths: tuple[str, ...] = ()
        if arguments and _is_paths(arguments[0]):
            paths = tuple(each.removesuffix("/") for each in _strings(arguments[0]))
            arguments = arguments[1:]
            if not arguments:
                return functools.partial(self.use, paths)
        if not arguments:
            raise TypeError("use() takes at least one middleware")
        below = {each: self._full(self._pattern, each).check() for each in paths if each}
        check_handlers(_parameters([self._pattern, *below.values()]), *arguments)
        for each, pattern in below.items():
            if pattern.has_wildcard:
                raise ValueError(f"use() covers all below its path: write it without *, {each!r}")
        for each in arguments:
            if isinstance(each, Router):
                self._nest(each)
        self._entries.append(_Use(() if "" in paths else paths, arguments))
        self._changed()
        return arguments[0]

    def _nest(self, router: "Router") -> None:
        if router._hosts:
            raise ValueError("a router with a host is used by the application, not by a router")
        if router is self or router in self._all_outer():
            raise ValueError("a router cannot be inside of itself")
        router._check_outer(self)
        router._outer.append(self)

    def _check_outer(self, outer: "Router") -> None:
        """Refuse what only the outermost router decides, if `outer` would decide otherwise."""
        usual = {"exclusive": False, "throw": False, "methods": frozenset(METHODS)}
        for option, default in usual.items():
            own = getattr(self, option)
            if own not in (default, getattr(outer, option)):
                raise ValueError(f"`{option}` is for the router that the application uses")

    def _all_outer(self) -> "Iterator[Router]":
        for each in self._outer:
            yield each
            yield from each._all_outer()

    @overload
    def param(self, name: str) -> Callable[[HandlerT], HandlerT]: ...
    @overload
    def param(self, name: str, handler: HandlerT) -> HandlerT: ...
    def param(self, name: str, handler: Any = None) -> Any:
        """Run `handler(value, ctx, next)` before routes whose path has the parameter `name`.

        Once for each such place in a path, in their order. Also a decorator.
        """
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("param() takes a name: @router.param('id')")
        if handler is None:
            return functools.partial(self.param, name)
        self._handlers.append((name, handler))
        self._changed()
        return handler

    def redirect(self, source: str, destination: str, *, status: int = 301) -> Route:
        """Redirect `source`, a path or the name of a route, to `destination`.

        That is a path, whose parameters are taken from the source; a whole URL; or the name of
        a route. Parameters that it would not read, or that are missing, are a 404.
        """
        is_path = destination.startswith(("/", "{"))
        fixed = self._parse(destination).check() if is_path else None

        async def redirect(ctx: Any) -> None:  # noqa: ANN401 - any application's ctx
            if "://" in destination:
                ctx.redirect(destination, status=status)
                return
            pattern = fixed or self._named(destination)
            values = {name: ctx.params[name] for name in pattern.names if name in ctx.params}
            try:
                path = pattern.build(values)
            except ValueError:
                raise http_error(404) from None
            ctx.redirect(path if fixed else ctx.mount_path + path, status=status)

        if source.startswith(("/", "{")):
            return self.all(source, redirect)
        if source not in self._own:
            raise LookupError(f"no route has the name {source!r}")
        return self.all(self._own[source].paths[0], redirect)

    # --- names ---------------------------------------------------------------------------------

    @property
    def stack(self) -> list[Route]:
        """The routes, those of routers inside too, with whole paths, in order."""
        return [
            Route(
                tuple(each.template for each in layer.patterns),
                layer.methods,
                layer.name,
                list(layer.middleware),
                parameters=_parameters(layer.patterns),
            )
            for layer in self._flat()
            if layer.is_route
        ]

    def url_for(
        self,
        name: str,
        params: Mapping[str, object] | None = None,
        /,
        *,
        query: Mapping[str, object] | Sequence[tuple[str, object]] = (),
        **values: object,
    ) -> str:
        """Return the path of the route `name`, with `params` and `values` in it, and `query`.

        LookupError for no such route, ValueError for values that do not fit. Below a mount
        `ctx.mount_path` goes before it.
        """
        path = self._named(name).build({**(params or {}), **values})
        search = format_query(query)
        return f"{path}?{search}" if search else path

    def _named(self, name: str) -> Pattern:
        self._flat()
        if name not in self._patterns:
            raise LookupError(f"no route has the name {name!r}")
        return self._patterns[name]

    # --- as Koa's users know it ------------------------------------------------------------------

    def routes(self) -> "Router":
        """Return the router, which is the middleware: `app.use(router)` is the same."""
        return self

    def allowed_methods(self) -> Middleware:
        """Return a middleware that adds nothing: the router itself answers OPTIONS, 405, 501."""

        async def allowed_methods(_ctx: Any, next: Next) -> Any:  # noqa: ANN401 - as any middleware
            return await next()

        return allowed_methods

    # --- the table -----------------------------------------------------------------------------

    def _changed(self) -> None:
        self._table = self._layers = None
        for each in self._outer:
            each._changed()

    def _parse(self, template: str) -> Pattern:
        if template and not template.startswith(("/", "{/")):
            raise ValueError(f"a path begins with a slash, got {template!r}; names are `name=`")
        return parse_template(template, self._types)

    def _full(self, prefix: Pattern, path: str) -> Pattern:
        """Return `path` below `prefix`; "/" there is the prefix itself, unless strict."""
        if prefix.template and path == "/" and not self.strict:
            return prefix
        return prefix + self._parse(path)

    def _flat(self) -> tuple[Layer, ...]:
        if self._layers is None:
            layers: list[Layer] = []
            self._collect(_Place(parse_template(""), (), ()), layers)
            self._layers = tuple(layers)
            named = [each for each in reversed(layers) if each.name is not None]
            self._patterns = {str(each.name): each.patterns[0] for each in named}
        return self._layers

    def _collect(self, place: _Place, layers: list[Layer]) -> None:
        """Add what this router has at `place` to `layers`."""
        scope = Scope(tuple(self._handlers))
        inside = _Place(
            place.prefix + self._pattern, (*place.scopes, scope), (*place.routers, self)
        )
        for entry in self._entries:
            if isinstance(entry, Route):
                layers.append(self._route(entry, inside, len(layers)))
            else:
                self._collect_use(entry, inside, layers)

    def _route(self, route: Route, place: _Place, index: int) -> Layer:
        if not route.middleware:
            raise TypeError(f"the route {' '.join(route.paths)} has no middleware")
        return Layer(
            index=index,
            scopes=place.scopes,
            patterns=tuple(self._full(place.prefix, path).check() for path in route.paths),
            middleware=tuple(route.middleware),
            methods=route.methods,
            is_route=True,
            strict=self.strict,
            name=route.name,
        )

    def _collect_use(self, use: _Use, place: _Place, layers: list[Layer]) -> None:
        below = [self._full(place.prefix, path) for path in use.paths]
        for each in use.middleware:
            if isinstance(each, Router):
                for prefix in below or [place.prefix]:
                    each._collect(_Place(prefix, place.scopes, place.routers), layers)
                continue
            layers.append(
                Layer(
                    index=len(layers),
                    scopes=place.scopes,
                    patterns=tuple(below or [place.prefix]),
                    middleware=(each,),
                    covers_all=not below,
                )
            )

    @property
    def lifespan(self) -> LifespanFunction | None:
        """What enters the lifespans that the middleware carries; None if there are none."""
        return join_lifespans(each for layer in self._flat() for each in layer.middleware)

    # --- answering -----------------------------------------------------------------------------

    async def __call__(self, ctx: Any, next: Next) -> Any:  # noqa: ANN401 - as any middleware
        """Answer by the routes that match, or go downstream."""
        table = self._table
        if table is None:
            table = self._table = self._compile(checked=ctx.app.env != "production")
        if self._hosts and find_host(ctx.host, self._hosts) is None:
            return await next()
        method, path = ctx.method, ctx.path
        plan = table.fixed.get((method, path))
        params: dict[str, Any] = {}
        if plan is None:
            match = table.match(method, path)
            if isinstance(match, Miss):
                if match.is_unclear:
                    raise http_error(404)
                return await self._pass(ctx, next, match.allowed, table)
            plan, params, entered = match
            if entered is not None:
                ctx.entered_routes = {**getattr(ctx, "entered_routes", {}), **entered}
        if ctx.params:
            params = {**ctx.params, **params}
        ctx.params = params
        ctx.route = ctx.mount_path + plan.template
        return await plan.run(ctx, next)

    def _compile(self, *, checked: bool) -> Table:
        return Table(self._flat(), exclusive=self.exclusive, checked=checked)

    async def _pass(
        self,
        ctx: Any,  # noqa: ANN401 - any application's
        next: Next,
        allowed: tuple[str, ...],
        table: Table,
    ) -> Any:  # noqa: ANN401 - as downstream
        """Go downstream; if nobody answers there, tell what would have been answered.

        By then the routers in between have added the methods that they allow.
        """
        ctx.allowed_methods = dict.fromkeys([*getattr(ctx, "allowed_methods", ()), *allowed])
        result = await next()
        if ctx.status == 404 and ctx.body is None and ctx.writable:
            is_known = ctx.method in self.methods or ctx.method in table.methods
            self._refuse(ctx, list(ctx.allowed_methods), is_known=is_known)
        return result

    def _refuse(self, ctx: Any, allowed: list[str], *, is_known: bool) -> None:  # noqa: ANN401
        if is_known and not allowed:
            return
        headers = {"Allow": ", ".join(allowed)} if allowed else {}
        if is_known and ctx.method == "OPTIONS":
            ctx.status, ctx.body = 200, ""
        elif self.throw:
            raise http_error(405 if is_known else 501, headers=headers)
        else:
            ctx.status = 405 if is_known else 501
        ctx.set(headers)


def _parameters(patterns: Iterable[Pattern]) -> frozenset[str]:
    return frozenset(name for pattern in patterns for name in pattern.names)


def _strings(value: str | Iterable[str]) -> Iterable[str]:
    return [value] if isinstance(value, str) else list(value)


def _is_paths(value: Any) -> bool:  # noqa: ANN401 - the first argument of `use`
    if isinstance(value, str):
        return True
    return type(value) in {list, tuple} and value and all(isinstance(each, str) for each in value)


def _methods(methods: str | Iterable[str]) -> list[str]:
    """Return methods in capitals; ValueError for none at all, or what is none."""
    names = field_names("methods", methods).upper().split(",")
    if names == [""]:
        raise ValueError("methods are one at least, or None for any")
    return names


def _with_head(methods: Iterable[str]) -> Iterator[str]:
    for name in methods:
        if name == "GET":
            yield "HEAD"
        yield name
