"""Path templates: read once when a route is registered, never matched by regular expressions.

`/users/:id`, `/users/:id:int`, `/files/*path`, `/posts{/:page:int}`, `/:name.:extension`.
What is optional is written out into variants, so that the table holds plain lists of segments.
"""

import itertools
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ohia.http.path import quote_path, quote_segment, relative_path

__all__ = ["TYPES", "Pattern", "Segment", "Slot", "Type", "Wildcard", "parse_template"]

Type = Callable[[str], Any]
"""Reads a parameter's text; raises ValueError for what is none."""

MAX_VARIANTS = 32  # of one template: five optional groups side by side
MAX_DIGITS = 18  # what a signed 64-bit column holds, and Python reads at once

PIECE = re.compile(
    r"""  (?P<text> (?: [^\\:*{}()\[\]<>?\#+!%] | \\. | %(?![0-9A-Fa-f]{2}) )+ )
    | : (?P<parameter> [A-Za-z_][A-Za-z0-9_]* ) (?: : (?P<type> [A-Za-z_][A-Za-z0-9_]* ) )?
    | \* (?P<wildcard> [A-Za-z_][A-Za-z0-9_]* )
    | (?P<open> \{ )
    | (?P<close> \} )
    """,
    re.DOTALL | re.VERBOSE,
)
BRACED = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(:[A-Za-z_][A-Za-z0-9_]*)?\}")
ESCAPED = re.compile(r"\\(.)", re.DOTALL)

HINTS = {
    "(": "there are no regular expressions, a parameter has a type: `:id:int`",
    "<": "write `:id:int` for `<int:id>`",
    "?": "write what is optional in braces: `/users{/:id}`",
    "+": "write `*path` for any number of segments",
    "%": "a template is written decoded: `/a b`",
    "*": "a wildcard has a name: `*path`",
    ":": "a parameter has a name: `:id`",
}


def _int(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS):
        raise ValueError(text)
    return int(text)


def _float(text: str) -> float:
    for digits in text.split(".", 1):
        _int(digits)
    return float(text)


def _uuid(text: str) -> uuid.UUID:
    value = uuid.UUID(text)
    if str(value) != text.lower():  # it takes braces and lost hyphens too
        raise ValueError(text)
    return value


TYPES: Mapping[str, Type] = {"str": str, "int": _int, "float": _float, "uuid": _uuid}


@dataclass(frozen=True, slots=True)
class Parameter:
    """`:name` or `:name:type`: within one segment, not empty."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Wildcard:
    """`*name`: all that is left of the path, not empty, and cut alike by whoever reads it."""

    name: str


@dataclass(frozen=True, slots=True)
class Group:
    """`{...}`: all of it, or nothing."""

    tokens: "tuple[Token, ...]"


Token = str | Parameter | Wildcard | Group
Flat = str | Parameter | Wildcard


@dataclass(frozen=True, slots=True)
class Slot:
    """A segment with parameters: `prefix :a separator :b suffix`, texts that may be empty."""

    prefix: str
    parameters: tuple[Parameter, ...]
    separators: tuple[str, ...]
    suffix: str

    @property
    def key(self) -> tuple[object, ...]:
        """All but the names: slots that read alike share it."""
        types = tuple(each.type for each in self.parameters)
        return (self.prefix, types, self.separators, self.suffix)

    @property
    def is_plain(self) -> bool:
        """Whether it is one parameter that takes any text."""
        return self.key == ("", (str,), (), "")

    def read(self, segment: str) -> tuple[Any, ...] | None:
        """Return the values of the parameters in `segment`, None if it does not fit.

        A separator counts where it last occurs, as in path-to-regexp 8: `:name.:extension`
        reads `a.tar.gz` as `a.tar` and `gz`.
        """
        rest = segment.removeprefix(self.prefix)
        if len(segment) - len(rest) != len(self.prefix) or not rest.endswith(self.suffix):
            return None
        rest = rest[: len(rest) - len(self.suffix)]
        texts: list[str] = []
        for separator in reversed(self.separators):
            rest, _, text = rest.rpartition(separator)
            texts.append(text)
        texts.append(rest)
        if "" in texts:
            return None
        try:
            return tuple(
                parameter.type(text)
                for parameter, text in zip(self.parameters, reversed(texts), strict=True)
            )
        except ValueError:
            return None


Segment = str | Slot | Wildcard
"""Of a variant: a literal text, decoded; a slot; or the rest of the path, which comes last."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A template, read: tokens to build a path from, variants to match one by."""

    template: str
    tokens: tuple[Token, ...]

    def __add__(self, below: "Pattern") -> "Pattern":
        return Pattern(self.template + below.template, self.tokens + below.tokens)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters, in order."""
        return tuple(each.name for each in _leaves(self.tokens) if not isinstance(each, str))

    @property
    def has_wildcard(self) -> bool:
        """Whether it takes all that is left of a path."""
        return any(isinstance(each, Wildcard) for each in _leaves(self.tokens))

    def check(self) -> "Pattern":
        """Return this pattern, or raise ValueError for what can never be matched."""
        names = self.names
        if len(set(names)) < len(names):
            raise ValueError(f"two parameters of one name in {self.template!r}")
        for variant in self.variants():
            if "" in variant[:-1] or "." in variant or ".." in variant:
                raise ValueError(f"an empty or dot segment in {self.template!r}")
        return self

    def variants(self) -> list[tuple[Segment, ...]]:
        """Return the segments of each way to write what is optional, the longest first."""
        if _count(self.tokens) > MAX_VARIANTS:
            raise ValueError(f"too many optional parts in {self.template!r}")
        return [_segments(flat, self.template) for flat in _expand(self.tokens)]

    def build(self, values: Mapping[str, object]) -> str:
        """Return the path, percent-encoded, with `values` in place of the parameters.

        An optional part is there if all its parameters are. ValueError for a value that is
        missing, or that the route would not read.
        """
        unknown = ", ".join(values.keys() - set(self.names))
        if unknown:
            raise ValueError(f"{self.template!r} has no parameter {unknown}")
        return "".join(self._build(self.tokens, values)) or "/"

    def _build(self, tokens: tuple[Token, ...], values: Mapping[str, object]) -> Iterator[str]:
        for token in tokens:
            if isinstance(token, str):
                yield quote_path(token)
            elif isinstance(token, Group):
                if all(name in values for name in _names(token)) and any(_names(token)):
                    yield from self._build(token.tokens, values)
            elif token.name not in values:
                raise ValueError(f"{self.template!r} needs a value for {token.name}")
            else:
                yield _write(token, str(values[token.name]), self.template)


def _names(group: Group) -> list[str]:
    """Return the parameters that decide whether `group` is written: not those of inner groups."""
    return [each.name for each in group.tokens if isinstance(each, Parameter | Wildcard)]


def _write(token: Parameter | Wildcard, text: str, template: str) -> str:
    try:
        is_rest = isinstance(token, Wildcard)
        if not text or (is_rest and relative_path(text.split("/")) is None):
            raise ValueError  # noqa: TRY301 - told as any other
        if isinstance(token, Wildcard):
            return quote_path(text)
        token.type(text)
        return quote_segment(text)
    except ValueError:
        raise ValueError(f"{text!r} cannot be {token.name} in {template!r}") from None


def parse_template(template: str, types: Mapping[str, Type] = TYPES) -> Pattern:
    r"""Read a path template; ValueError, with what to write, for what is none.

    >>> parse_template("/users/:id:int{.:format}").build({"id": 7})
    '/users/7'
    """
    tokens: list[Token] = []
    open_groups: list[list[Token]] = []
    at = 0
    while at < len(template):
        piece = PIECE.match(template, at)
        if piece is None:
            raise _refusal(template, at)
        at = piece.end()
        if piece["open"]:
            _refuse_braced(template, piece.start())
            open_groups.append(tokens)
            tokens = []
        elif piece["close"]:
            if not open_groups:
                raise _refusal(template, at - 1)
            group = Group(tuple(tokens))
            tokens = open_groups.pop()
            tokens.append(group)
        else:
            tokens.append(_token(piece, types))
    if open_groups:
        raise ValueError(f"a brace stays open in {template!r}")
    return Pattern(template, tuple(tokens))


def _token(piece: re.Match[str], types: Mapping[str, Type]) -> Token:
    if piece["wildcard"]:
        return Wildcard(piece["wildcard"])
    if not piece["parameter"]:
        return ESCAPED.sub(r"\1", piece["text"])
    name = piece["type"] or "str"
    if name not in types:
        known = ", ".join(sorted(types))
        raise ValueError(f"no type {name!r} in {piece.string!r}: there are {known}")
    return Parameter(piece["parameter"], types[name])


def _refuse_braced(template: str, at: int) -> None:
    """Raise ValueError for what others write for a parameter: `{id}`, `{id:int}`."""
    if braced := BRACED.match(template, at):
        found, name, kind = braced[0], braced[1], braced[2] or ""
        ours = f"*{name}" if kind == ":path" else f":{name}{kind}"
        raise ValueError(
            f"in the path {template!r}: write `{ours}` for `{found}`, or a backslash behind the "
            "brace if it is optional text"
        )


def _refusal(template: str, at: int) -> ValueError:
    character = template[at]
    hint = HINTS.get(character, f"write `\\{character}` if you mean the character")
    return ValueError(f"{character!r} at {at} in the path {template!r}: {hint}")


def _leaves(tokens: tuple[Token, ...]) -> Iterator[Flat]:
    for token in tokens:
        if isinstance(token, Group):
            yield from _leaves(token.tokens)
        else:
            yield token


def _count(tokens: tuple[Token, ...]) -> int:
    count = 1
    for token in tokens:
        if isinstance(token, Group):
            count *= 1 + _count(token.tokens)
    return count


def _expand(tokens: tuple[Token, ...]) -> Iterator[tuple[Flat, ...]]:
    """Yield each way to write `tokens`, with a group before without it."""
    ways: list[list[tuple[Flat, ...]]] = [
        [*_expand(each.tokens), ()] if isinstance(each, Group) else [(each,)] for each in tokens
    ]
    for choice in itertools.product(*ways):
        yield tuple(itertools.chain.from_iterable(choice))


def _segments(flat: tuple[Flat, ...], template: str) -> tuple[Segment, ...]:
    """Cut one variant at its slashes."""
    rows: list[list[Flat]] = [[]]
    for token in flat:
        if not isinstance(token, str):
            rows[-1].append(token)
            continue
        first, *others = token.split("/")
        rows[-1].append(first)
        rows.extend([other] for other in others)
    if any(rows[0]):
        raise ValueError(f"a path begins with a slash, got {template!r}")
    segments = [_segment([each for each in row if each], template) for row in rows[1:] or [[]]]
    if any(isinstance(each, Wildcard) for each in segments[:-1]):
        raise ValueError(f"a wildcard comes last, got {template!r}")
    return tuple(segments)


def _segment(row: list[Flat], template: str) -> Segment:
    if len(row) == 1 and isinstance(row[0], Wildcard):
        return row[0]
    prefix, suffix, separators = "", "", [""]
    parameters: list[Parameter] = []
    for token in row:
        if isinstance(token, Wildcard):
            raise ValueError(f"a wildcard is a whole segment, in {template!r}")  # noqa: TRY004
        if isinstance(token, str):
            separators[-1] += token
        else:
            parameters.append(token)
            separators.append("")
    if not parameters:
        return separators[0]
    prefix, *separators, suffix = separators
    if "" in separators:
        raise ValueError(f"two parameters need a text between them, in {template!r}")
    return Slot(prefix, tuple(parameters), tuple(separators), suffix)
