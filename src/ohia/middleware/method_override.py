"""method_override(): PUT, PATCH and DELETE for clients that can only POST, as HTML forms."""

from collections.abc import Collection, Mapping
from typing import Any, cast

from ohia import Context, Middleware, Next
from ohia.errors import BadRequest

__all__ = ["method_override"]

# TRACE and CONNECT are the connection's affair; the answer to HEAD would not fit the request.
REFUSED = frozenset({"CONNECT", "HEAD", "TRACE"})


def method_override(
    *,
    methods: Collection[str] = ("PUT", "PATCH", "DELETE"),
    header: str | None = "X-HTTP-Method-Override",
    field: str | None = "_method",
    query: str | None = None,
) -> Middleware:
    """Set `ctx.method` of a POST to the one of `methods` that the client asks for.

    By the `field` of a form or JSON object, which `body()` upstream has read, else by `header`,
    else by a parameter of the `query`; None is off. In any case of letters. What is not among
    `methods` is BadRequest (400); ValueError here for CONNECT, HEAD and TRACE.
    """
    allowed = frozenset(each.upper() for each in methods)
    if allowed & REFUSED:
        raise ValueError(f"no request becomes {', '.join(sorted(allowed & REFUSED))}")

    def wanted(ctx: Context[Any]) -> str | None:
        return (
            (field and _field(getattr(ctx.request, "body", None), field))
            or (header and ctx.get(header))
            or (query and ctx.query.get(query))
        )

    async def method_override(ctx: Context[Any], next: Next) -> Any:  # noqa: ANN401 - what downstream returns
        if ctx.method == "POST" and (asked := wanted(ctx)):
            ctx.method = _method(asked, allowed)
        return await next()

    return method_override


def _field(body: object, name: str) -> str | None:
    value = cast("Mapping[str, object]", body).get(name) if isinstance(body, Mapping) else None
    return value if isinstance(value, str) else None


def _method(asked: str, allowed: frozenset[str]) -> str:
    method = asked.upper()
    if method not in allowed:
        raise BadRequest("Invalid overridden method")
    return method
