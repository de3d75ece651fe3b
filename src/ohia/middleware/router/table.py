"""What a router does with a request: every layer that matches it, in order, as one chain.

A layer is a route or what `use` added. Chains are composed at first use and kept, one for each
set of layers that some request has matched.
"""

import itertools
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from ohia import Next, compose
from ohia.http.path import split_path
from ohia.middleware.router.pattern import Pattern, Segment, Slot, Wildcard
from ohia.middleware.router.trie import UNCLEAR, Node, insert, walk

__all__ = ["Layer", "Miss", "Plan", "Scope", "Table"]

MAX_PLANS = 1024  # sets of several layers that are kept; more than any real table has

DOTS = frozenset({".", ".."})  # no client sends them, but encoded or to get past something

Values = tuple[Any, ...]
Params = dict[str, Any]


@dataclass(frozen=True, eq=False, slots=True)
class Scope:
    """A router at one place of the table, with its `param` handlers."""

    handlers: tuple[tuple[str, Callable[..., Any]], ...]


@dataclass(frozen=True, eq=False, slots=True)
class Layer:
    """A route, or what `use` added. `methods` None is any of them."""

    index: int
    scopes: tuple[Scope, ...]
    patterns: tuple[Pattern, ...]
    middleware: tuple[Callable[..., Any], ...]
    methods: tuple[str, ...] | None = None
    is_route: bool = False
    covers_all: bool = False
    """Whether it holds for each route of its router, whatever the path."""
    strict: bool = False
    name: str | None = None

    def allows(self, method: str) -> bool:
        """Say whether it answers `method`."""
        return self.methods is None or method in self.methods


@dataclass(frozen=True, eq=False, slots=True)
class Variant:
    """One way to match a layer; `number` orders the ways of one layer."""

    layer: Layer
    number: int
    template: str
    names: tuple[str, ...]
    rank: tuple[int, ...]
    places: tuple[object, ...] = ()
    """Where each of `names` is read, and how: the same place, the same value."""


@dataclass(eq=False, slots=True)
class Leaf:
    """The variants that end at one place of the tree."""

    variants: list[Variant] = field(default_factory=list[Variant])
    plans: "dict[str, Plan]" = field(default_factory=dict[str, "Plan"])
    """By method, where one route and no path of `use` decides."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run, the parameters that the path gives, and the template to show."""

    run: Callable[..., Coroutine[Any, Any, Any]]
    names: tuple[str, ...]
    template: str


@dataclass(frozen=True, slots=True)
class Miss:
    """No route: the methods that would have found one.

    `is_unclear`: there is one, but for a path that others may read otherwise. It is not passed
    over, since it may be a guard.
    """

    allowed: tuple[str, ...] = ()
    is_unclear: bool = False


Entered = dict[Layer, tuple[str, Params]]
"""Template and parameters of each route, where several match."""

Match = tuple[Plan, Params, Entered | None]
Found = list[tuple[Leaf, Values]]
Matched = list[tuple[Variant, Values]]


class Table:
    """The layers of a router, ready to be matched."""

    def __init__(self, layers: Iterable[Layer], *, exclusive: bool, checked: bool) -> None:
        self.root: Node[Leaf] = Node()
        self.fixed: dict[tuple[str, str], Plan] = {}
        """By method and path, where neither has a parameter: filled as they are asked for."""
        self._literals: set[str] = set()
        self.methods: set[str] = set()
        """Those that some route names."""
        self._covering: list[Variant] = []
        self._plans: dict[tuple[Variant, ...], Plan] = {}
        self._exclusive = exclusive
        self._checked = checked
        for layer in layers:
            self.methods.update(layer.methods or ())
            self._add(layer)

    def _add(self, layer: Layer) -> None:
        if layer.covers_all:
            (pattern,) = layer.patterns
            self._covering.append(Variant(layer, 0, pattern.template, pattern.names, ()))
            return
        number = 0
        for pattern in layer.patterns:
            for segments in pattern.variants():
                names = tuple(name for segment in segments for name in _names(segment))
                rank = tuple(map(_rank, segments))
                places = tuple(_places(segments))
                variant = Variant(layer, number, pattern.template, names, rank, places)
                self._place(variant, segments)
                number += 1

    def _place(self, variant: Variant, segments: tuple[Segment, ...]) -> None:
        layer = variant.layer
        if not layer.is_route:
            node = insert(self.root, segments[:-1] if segments[-1] == "" else segments)
            node.prefix = _with(node.prefix, variant)
        elif isinstance(segments[-1], Wildcard):
            node = insert(self.root, segments[:-1])
            node.rest = _with(node.rest, variant)
        else:
            node = insert(self.root, segments)
            node.exact = _with(node.exact, variant)
            if not layer.strict:
                node.loose = _with(node.loose, variant)
            if not variant.names:
                path = "/" + "/".join(map(str, segments))
                self._literals.update((path, f"{path}/"))

    def match(self, method: str, path: str) -> Match | Miss:
        """Find what answers `method` on the raw `path`."""
        segments = split_path(path)
        if segments is None or not DOTS.isdisjoint(segments):
            return self._match_unclear(method, path)
        found: Found = []
        walk(self.root, segments, 0, (), found)
        if len(found) == 1:
            leaf, values = found[0]
            plan = leaf.plans.get(method)
            if plan is not None and not (values and values[-1] is UNCLEAR):
                if len(values) == 1:
                    return plan, {plan.names[0]: values[0]}, None
                return plan, dict(zip(plan.names, values, strict=True)), None
        return self._match(method, path, found)

    def _match(self, method: str, path: str, found: Found) -> Match | Miss:
        every = sorted(
            ((variant, values) for leaf, values in found for variant in leaf.variants),
            key=lambda each: (each[0].layer.index, _is_unclear(each[1]), each[0].number),
        )
        first = {variant.layer: (variant, values) for variant, values in reversed(every)}
        layers = [first[layer] for layer in sorted(first, key=lambda layer: layer.index)]
        routes = [each for each in layers if each[0].layer.is_route]
        chosen = [each for each in routes if each[0].layer.allows(method)]
        if not chosen:
            return Miss(_methods(routes))
        if self._exclusive:
            chosen = [min(chosen, key=lambda each: each[0].rank)]
        if any(_is_unclear(values) for _, values in chosen):
            return Miss(is_unclear=True)
        scopes = _scopes(variant for variant, _ in chosen)
        uses = [each for each in layers if _holds_in(scopes, each[0].layer)]
        plan = self._plan(chosen, uses)
        if len(chosen) == 1 and not uses:
            self._keep(plan, method, path, found)
        return plan, *_params(chosen, uses)

    def _match_unclear(self, method: str, path: str) -> Miss:
        """Say of a `path` that nobody should interpret whether somebody might by a route here."""
        if not path.startswith("/"):
            return Miss()
        found: Found = []
        walk(self.root, [unquote(each) for each in path[1:].split("/")], 0, (), found)
        layers = (variant.layer for leaf, _ in found for variant in leaf.variants)
        return Miss(is_unclear=any(each.is_route and each.allows(method) for each in layers))

    def _keep(self, plan: Plan, method: str, path: str, found: Found) -> None:
        """Remember `plan` where the next request finds it sooner."""
        if method != "GET" and method not in self.methods:
            return  # a client may make up as many as it likes
        if len(found) == 1:
            found[0][0].plans[method] = plan
        if not plan.names and path in self._literals:
            self.fixed[method, path] = plan

    def _plan(self, routes: Matched, uses: Matched) -> Plan:
        key = tuple(variant for variant, _ in (*routes, *uses))
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= MAX_PLANS:
                self._plans.clear()
            plan = self._plans[key] = self._compose([each for each, _ in routes], key)
        return plan

    def _compose(self, routes: list[Variant], matched: tuple[Variant, ...]) -> Plan:
        scopes = _scopes(routes)
        covering = [each for each in self._covering if _holds_in(scopes, each.layer)]
        members: list[Callable[..., Any]] = []
        handled: set[object] = set()
        first = entered = routes[0]
        places = _read_at(*matched[len(routes) :], first)  # follows ctx.params
        for variant in sorted((*matched, *covering), key=lambda each: each.layer.index):
            route = _route_of(variant, [entered, *routes])
            if route is not entered:
                members.append(_entering(route.layer))
                places.update(_read_at(route))
                entered = route
            members.extend(_handling(variant, places, handled))
            members.extend(variant.layer.middleware)
        return Plan(compose(members, checked=self._checked).first, first.names, first.template)


def _names(segment: Segment) -> list[str]:
    if isinstance(segment, Wildcard):
        return [segment.name]
    return [each.name for each in segment.parameters] if isinstance(segment, Slot) else []


def _places(segments: Iterable[Segment]) -> Iterator[object]:
    """Yield where each parameter of `segments` is read, and how."""
    for at, segment in enumerate(segments):
        if isinstance(segment, Wildcard):
            yield at
        elif isinstance(segment, Slot):
            yield from ((at, segment.key, number) for number in range(len(segment.parameters)))


def _is_unclear(values: Values) -> bool:
    return bool(values) and values[-1] is UNCLEAR


def _rank(segment: Segment) -> int:
    """Say how much `segment` leaves open: nothing, part, a type, any text, all that follows."""
    if isinstance(segment, str):
        return 0
    if isinstance(segment, Wildcard):
        return 4
    if segment.is_plain:
        return 3
    return 1 if segment.prefix or segment.suffix or segment.separators else 2


def _with(leaf: Leaf | None, variant: Variant) -> Leaf:
    leaf = leaf or Leaf()
    leaf.variants.append(variant)
    return leaf


def _methods(routes: Matched) -> tuple[str, ...]:
    methods = (method for variant, _ in routes for method in variant.layer.methods or ())
    return tuple(dict.fromkeys(methods))


def _scopes(routes: Iterable[Variant]) -> set[Scope]:
    return {scope for variant in routes for scope in variant.layer.scopes}


def _route_of(variant: Variant, routes: Iterable[Variant]) -> Variant:
    """Return `variant` if it is a route, else the first of `routes` that it stands before."""
    layer = variant.layer
    if layer.is_route:
        return variant
    return next(each for each in routes if layer.scopes[-1] in each.layer.scopes)


def _holds_in(scopes: set[Scope], layer: Layer) -> bool:
    """Say whether `layer` is what `use` added to one of the routers `scopes`."""
    return not layer.is_route and layer.scopes[-1] in scopes


def _params(routes: Matched, uses: Matched) -> tuple[Params, Entered | None]:
    """Return the parameters to begin with, and those of each route if there are several."""
    params: Params = {}
    for variant, values in (*uses, routes[0]):
        params.update(zip(variant.names, values, strict=True))
    if len(routes) == 1:
        return params, None
    entered = {
        variant.layer: (variant.template, dict(zip(variant.names, values, strict=True)))
        for variant, values in routes
    }
    return params, entered


def _entering(layer: Layer) -> Callable[..., Any]:
    """Return what stands before a route where others have matched too."""

    async def enter(ctx: Any, next: Next) -> Any:  # noqa: ANN401 - as any middleware
        template, params = ctx.entered_routes[layer]
        ctx.params = {**ctx.params, **params}
        ctx.route = ctx.mount_path + template
        return await next()

    return enter


def _read_at(*variants: Variant) -> dict[str, object]:
    """Return for each parameter of `variants` the place where it is read, the last one's."""
    pairs = (zip(each.names, each.places, strict=True) for each in variants)
    return dict(itertools.chain.from_iterable(pairs))


def _handling(
    variant: Variant, places: Mapping[str, object], handled: set[object]
) -> Iterator[Callable[..., Any]]:
    """Yield the `param` handlers of a layer, by the order of its path; once for each place."""
    for name in (each for each in variant.names if each in places):
        for scope in variant.layer.scopes:
            for parameter, handler in scope.handlers:
                key = (name, places[name], handler)
                if parameter == name and key not in handled:
                    handled.add(key)
                    yield _parameter_step(name, handler)


def _parameter_step(name: str, handler: Callable[..., Any]) -> Callable[..., Any]:
    def handle(ctx: Any, next: Next) -> Any:  # noqa: ANN401 - whatever the handler gives
        return handler(ctx.params[name], ctx, next)

    handle._name = getattr(handler, "__name__", name)  # type: ignore[attr-defined] # noqa: SLF001
    return handle
