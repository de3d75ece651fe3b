"""Mount: middleware or a whole application under a path."""

from typing import Any

from ohia import Context, Next, Ohia, compose
from ohia.http.path import quote_segment, strip_prefix
from ohia.lifespan import LifespanFunction

__all__ = ["mount"]


class Mount:
    """What `mount()` returns: a middleware that hands on the lifespans of what it holds."""

    def __init__(self, prefix: object, target: Any, name: str | None) -> None:  # noqa: ANN401
        segments, self._slash_needed = _read_prefix(prefix)
        self._segments = segments
        self._cut = "".join(f"/{quote_segment(each)}" for each in segments)
        each = target.as_middleware() if isinstance(target, Ohia) else target
        self._chain = compose(each)
        self._name = name or f"mount {prefix}"

    @property
    def lifespan(self) -> LifespanFunction | None:
        """What enters the lifespans of what is mounted; None if there are none."""
        return self._chain.lifespan

    async def __call__(self, ctx: Context[Any], next: Next) -> Any:  # noqa: ANN401 - as downstream
        """Run what is mounted if the path is below the prefix, else go on."""
        if not self._segments:
            return await self._chain(ctx, next)
        path = ctx.path
        rest = strip_prefix(path, self._segments)
        if rest is None or (self._slash_needed and not rest):
            return await next()
        above = (path, ctx.mount_path)

        async def downstream() -> Any:  # noqa: ANN401 - as downstream
            inside = (ctx.path, ctx.mount_path)
            ctx.path, ctx.mount_path = above
            try:
                return await next()
            finally:
                ctx.path, ctx.mount_path = inside

        ctx.path, ctx.mount_path = rest or "/", ctx.mount_path + self._cut
        try:
            return await self._chain(ctx, downstream)
        finally:
            ctx.path, ctx.mount_path = above


def mount(prefix: Any, target: Any = None, *, _name: str | None = None) -> Mount:  # noqa: ANN401
    """Run `target` below `prefix`: middleware, a list of them, or an application.

    `mount(target)` is `mount("/", target)`. Downstream `ctx.path` is without the prefix, which
    stands in `ctx.mount_path`; both are as before around `next()` and afterwards. `/a` takes
    `/a`, `/a/` and `/a/b`, not `/ab`; `/a/` does not take `/a`. An application keeps its own
    settings, context class, "error" listeners and lifespan. ValueError for a prefix that is no
    path, TypeError for what could never run.
    """
    if target is None:
        prefix, target = "/", prefix
    return Mount(prefix, target, _name)


def _read_prefix(prefix: object) -> tuple[list[str], bool]:
    """Return the segments of `prefix`, and whether a slash must follow them."""
    if not isinstance(prefix, str) or not prefix.startswith("/"):
        raise ValueError(f"a mount path begins with a slash, got {prefix!r}")
    segments = prefix[1:].removesuffix("/").split("/")
    if segments == [""]:
        return [], False
    if "%" in prefix or not {"", ".", ".."}.isdisjoint(segments):
        raise ValueError(f"a mount path is written decoded and without gaps, got {prefix!r}")
    return segments, prefix.endswith("/")
