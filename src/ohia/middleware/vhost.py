"""Vhost: one application or chain for each host name."""

from collections.abc import Mapping
from typing import Any

from ohia import Context, Next, Ohia, compose
from ohia.http.host_pattern import check_host_pattern, find_host
from ohia.lifespan import LifespanFunction

__all__ = ["vhost"]


class VirtualHosts:
    """What `vhost()` returns: a middleware that hands on the lifespans of what it holds."""

    def __init__(self, hosts: Mapping[str, Any], name: str | None) -> None:
        self._chains = {
            check_host_pattern(pattern): compose(
                target.as_middleware() if isinstance(target, Ohia) else target
            )
            for pattern, target in hosts.items()
        }
        self._name = name or "vhost"

    @property
    def lifespan(self) -> LifespanFunction | None:
        """What enters the lifespans of what it holds; None if there are none."""
        return compose(*self._chains.values()).lifespan

    async def __call__(self, ctx: Context[Any], next: Next) -> Any:  # noqa: ANN401 - as downstream
        """Run what is there for the request's host, else go on."""
        chain = find_host(ctx.host, self._chains)
        return await (next() if chain is None else chain(ctx, next))


def vhost(
    host: str | Mapping[str, Any],
    target: Any = None,  # noqa: ANN401 - middleware, a list, an application
    *,
    _name: str | None = None,
) -> VirtualHosts:
    """Run `target` for requests to `host`, or by a mapping of hosts to targets.

    A target is middleware, a list of them or an application; a host `name`, `name:port`,
    `*.parent` or `*` for any. The most specific counts, and case does not. Other hosts, and
    requests without a valid one, go downstream. ValueError for what is no host, TypeError for
    what could never run.
    """
    return VirtualHosts({host: target} if isinstance(host, str) else host, _name)
