"""Content-Security-Policy: where a page may load from (CSP Level 3)."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from ohia.plain import plain

__all__ = ["DEFAULT_POLICY", "NONCE", "Policy", "Source", "compile_policy", "render_policy"]

NONCE: Final = "'nonce-{}'"
"""A source that stands for the nonce of the answer, `ctx.csp_nonce`."""

Source = str | Callable[[Any], str]
"""A source, or a function of ctx that returns one."""

Policy = Mapping[str, Source | Iterable[Source] | None]
"""Directives by name, `_` for `-`; None leaves out what would be there by default."""

DEFAULT_POLICY: Mapping[str, tuple[str, ...]] = {  # that of helmet 8
    "default-src": ("'self'",),
    "base-uri": ("'self'",),
    "font-src": ("'self'", "https:", "data:"),
    "form-action": ("'self'",),
    "frame-ancestors": ("'self'",),
    "img-src": ("'self'", "data:"),
    "object-src": ("'none'",),
    "script-src": ("'self'",),
    "script-src-attr": ("'none'",),
    "style-src": ("'self'", "https:", "'unsafe-inline'"),
    "upgrade-insecure-requests": (),
}

NAME = re.compile(r"[a-z]+(?:-[a-z]+)*")
UNSAFE = re.compile(r"[;,]|[^\x20-\x7e]")
KEYWORDS = frozenset(
    {"none", "self", "strict-dynamic", "report-sample", "inline-speculation-rules"}
    | {"unsafe-inline", "unsafe-eval", "unsafe-hashes", "wasm-unsafe-eval"}
)
HASHES = ("nonce-", "sha256-", "sha384-", "sha512-")

Directives = dict[str, tuple[Source, ...]]


def compile_policy(policy: Policy, *, use_defaults: bool) -> Directives:
    """Return `policy` with the defaults, each directive as a tuple; ValueError for a bad one.

    >>> compile_policy({"script_src": "'self'"}, use_defaults=False)
    {'script-src': ("'self'",)}
    """
    directives: Directives = dict(DEFAULT_POLICY) if use_defaults else {}
    for given, sources in policy.items():
        name = given.replace("_", "-")
        if not NAME.fullmatch(name):
            raise ValueError(f"{given!r} is no directive of Content-Security-Policy")
        if sources is None:
            directives.pop(name, None)
        else:
            directives[name] = _listed(name, sources)
    if not directives:
        raise ValueError("Content-Security-Policy has no directives: pass False to leave it out")
    return directives


def _listed(name: str, sources: Source | Iterable[Source]) -> tuple[Source, ...]:
    if isinstance(sources, str) or callable(sources):
        sources = (sources,)
    return tuple(_checked(name, each) for each in sources)


def _checked(name: str, source: Source) -> Source:
    return plain(f"a source of {name}", source) if callable(source) else check_source(name, source)


def check_source(name: str, source: str) -> str:
    """Return `source` if directive `name` can have it, else raise ValueError."""
    if not isinstance(source, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise TypeError(f"{name} of Content-Security-Policy takes text, got {source!r}")
    if UNSAFE.search(source):
        raise ValueError(f"{name} of Content-Security-Policy cannot have {source!r}")
    if source in KEYWORDS or source.startswith(HASHES):
        raise ValueError(f"{name} of Content-Security-Policy: write {source!r} with its quotes")
    return source


def render_policy(directives: Directives, ctx: object) -> str:
    """Return the header; sources that are functions are called with `ctx`."""
    return ";".join(
        " ".join([name, *(_said(name, each, ctx) for each in sources)])
        for name, sources in directives.items()
    )


def _said(name: str, source: Source, ctx: object) -> str:
    return check_source(name, source(ctx)) if callable(source) else source
