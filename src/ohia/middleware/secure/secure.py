"""secure: headers that make browsers careful, those of npm's helmet."""

from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from math import inf
from secrets import token_urlsafe
from typing import Any, Literal

from ohia import Context, Middleware, Next
from ohia.amounts import to_seconds
from ohia.http.headers import check_value
from ohia.http.host import clean_host
from ohia.http.listed import listed
from ohia.middleware.secure.policy import NONCE, Policy, compile_policy, render_policy

__all__ = ["secure"]

ONE_YEAR = 365 * 24 * 60 * 60
NONCE_BYTES = 16  # CSP Level 3, 8.1 asks for 128 bits

REFERRER_POLICIES = frozenset(
    {"no-referrer", "no-referrer-when-downgrade", "same-origin", "origin", "strict-origin"}
    | {"origin-when-cross-origin", "strict-origin-when-cross-origin", "unsafe-url"}
)
OPENER_POLICIES = frozenset(
    {"same-origin", "same-origin-allow-popups", "noopener-allow-popups", "unsafe-none"}
)
EMBEDDER_POLICIES = frozenset({"require-corp", "credentialless", "unsafe-none"})
RESOURCE_POLICIES = frozenset({"same-origin", "same-site", "cross-origin"})
FRAME_OPTIONS = frozenset({"DENY", "SAMEORIGIN"})
DOMAIN_POLICIES = frozenset({"none", "master-only", "by-content-type", "all"})


def secure(
    *,
    allowed_hosts: str | Iterable[str] | None = None,
    content_security_policy: Policy | bool = True,
    csp_use_defaults: bool = True,
    csp_report_only: bool = False,
    cross_origin_embedder_policy: str | Literal[False] = False,
    cross_origin_opener_policy: str | Literal[False] = "same-origin",
    cross_origin_resource_policy: str | Literal[False] = "same-origin",
    origin_agent_cluster: bool = True,
    permissions_policy: str | Literal[False] = False,
    referrer_policy: str | Literal[False] = "same-origin",
    strict_transport_security: bool = True,
    hsts_max_age: int | timedelta = ONE_YEAR,
    hsts_include_subdomains: bool = True,
    hsts_preload: bool = False,
    x_content_type_options: bool = True,
    x_dns_prefetch_control: Literal["on", "off", False] = "off",
    x_download_options: bool = True,
    x_frame_options: str | Literal[False] = "SAMEORIGIN",
    x_permitted_cross_domain_policies: str | Literal[False] = "none",
    x_xss_protection: bool = True,
) -> Middleware:
    """Set security headers, on errors too; whatever is downstream may set others.

    `allowed_hosts`, names with or without a port, are the only ones that are served: what names
    another host, or none, is a 400. Names are compared whole, in any case.

    Each option is its header's value, or whether it is sent; False leaves it out. The policy is
    laid over `DEFAULT_POLICY`. With `NONCE` among its sources `ctx.csp_nonce` is made anew for
    each answer. Strict-Transport-Security, `hsts_max_age` in seconds, is sent over https alone.

    ValueError for what a header cannot say.
    """
    fixed = {
        **_one_of("Cross-Origin-Embedder-Policy", cross_origin_embedder_policy, EMBEDDER_POLICIES),
        **_one_of("Cross-Origin-Opener-Policy", cross_origin_opener_policy, OPENER_POLICIES),
        **_one_of("Cross-Origin-Resource-Policy", cross_origin_resource_policy, RESOURCE_POLICIES),
        **_said("Origin-Agent-Cluster", "?1", wanted=origin_agent_cluster),
        **_free("Permissions-Policy", permissions_policy),
        **_one_of("Referrer-Policy", referrer_policy, REFERRER_POLICIES),
        **_said("X-Content-Type-Options", "nosniff", wanted=x_content_type_options),
        **_one_of("X-DNS-Prefetch-Control", x_dns_prefetch_control, {"on", "off"}),
        **_said("X-Download-Options", "noopen", wanted=x_download_options),
        **_one_of("X-Frame-Options", x_frame_options and x_frame_options.upper(), FRAME_OPTIONS),
        **_one_of(
            "X-Permitted-Cross-Domain-Policies", x_permitted_cross_domain_policies, DOMAIN_POLICIES
        ),
        **_said("X-XSS-Protection", "0", wanted=x_xss_protection),
    }
    hosts = None if allowed_hosts is None else _hosts(allowed_hosts)
    name = "Content-Security-Policy" + ("-Report-Only" if csp_report_only else "")
    policy = _policy(content_security_policy, use_defaults=csp_use_defaults)
    if isinstance(policy, str):
        fixed[name] = policy
    encrypted = {
        "Strict-Transport-Security": _hsts(
            hsts_max_age, include_subdomains=hsts_include_subdomains, preload=hsts_preload
        )
    }

    async def secure(ctx: Context, next: Next) -> None:
        ctx.set(fixed, sticky=True)
        if callable(policy):
            ctx.set(name, policy(ctx), sticky=True)
        if strict_transport_security and ctx.secure:
            ctx.set(encrypted, sticky=True)
        if hosts is not None and hosts.isdisjoint({ctx.hostname.lower(), ctx.host.lower()}):
            ctx.throw(400, "This host is not served here")
        await next()

    return secure


def _hosts(allowed: str | Iterable[str]) -> frozenset[str]:
    hosts = frozenset(each.lower() for each in listed(allowed))
    for host in hosts or {""}:
        if not host or clean_host(host) != host:
            raise ValueError(f"allowed_hosts are names of hosts, got {host!r}")
    return hosts


def _policy(
    policy: Policy | bool,  # noqa: FBT001 - as the option has it
    *,
    use_defaults: bool,
) -> str | Callable[[Context], str] | None:
    """Return the header, or what makes it for each ctx; None if it is left out."""
    if policy is False:
        return None
    directives = compile_policy({} if policy is True else policy, use_defaults=use_defaults)
    sources = [each for listed in directives.values() for each in listed]
    if NONCE not in sources and not any(map(callable, sources)):
        return render_policy(directives, None)

    def render(ctx: Context) -> str:
        ctx.csp_nonce = token_urlsafe(NONCE_BYTES)
        return render_policy(directives, ctx).replace(NONCE, NONCE.format(ctx.csp_nonce))

    return render


def _hsts(max_age: float | timedelta, *, include_subdomains: bool, preload: bool) -> str:
    seconds = to_seconds("hsts_max_age", max_age)
    if not 0 <= seconds < inf:
        raise ValueError(f"hsts_max_age is a number of seconds, got {max_age!r}")
    return "; ".join(
        [f"max-age={seconds:.0f}"]
        + ["includeSubDomains"] * include_subdomains
        + ["preload"] * preload
    )


def _said(name: str, value: str, *, wanted: bool) -> dict[str, str]:
    return {name: value} if wanted else {}


def _free(name: str, value: str | Literal[False]) -> dict[str, str]:
    return {name: check_value(name, value)} if value else {}


def _one_of(name: str, value: Any, known: Collection[str]) -> dict[str, str]:  # noqa: ANN401 - checked
    if value is False:
        return {}
    if value not in known:
        raise ValueError(f"{name} is one of {', '.join(sorted(known))}, got {value!r}")
    return {name: value}
