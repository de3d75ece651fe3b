"""Query strings: application/x-www-form-urlencoded, as URLSearchParams reads and writes it.

Every name has a first value, which is what `query[name]` gives; the rest is asked for by name.
So no client can turn a text into a list by repeating a key.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote_plus, unquote_plus

__all__ = ["Query", "format_query", "parse_query"]


class Query(Mapping[str, str]):
    """Names and values in order, not to be changed: `query[name]` is the first value of `name`."""

    __slots__ = ("_pairs", "_values")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._pairs = tuple(pairs)
        self._values: dict[str, list[str]] = {}
        for name, value in self._pairs:
            self._values.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> str:
        return self._values[name][0]

    def get_all(self, name: str) -> list[str]:
        """Return all values of `name` in order, the empty list where there is none."""
        return list(self._values.get(name, ()))

    def pairs(self) -> list[tuple[str, str]]:
        """Return every name with its value, in the order they were written."""
        return list(self._pairs)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Query):
            return self._pairs == other._pairs
        return super().__eq__(other)

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __repr__(self) -> str:
        return f"Query({self.pairs()!r})"


def parse_query(text: str) -> Query:
    """Read `text`, with or without its `?`. No text is wrong (WHATWG URL, 5.1).

    `+` is a space, a `%` that begins no escape stays, what is no UTF-8 becomes U+FFFD, and `;`
    separates nothing.

    >>> query = parse_query("name=tobi&tag=a+b&tag=%C3%A9")
    >>> query["tag"], query.get_all("tag")
    ('a b', ['a b', 'é'])
    """
    pieces = _scalar(text).removeprefix("?").split("&")
    return Query(
        (unquote_plus(name), unquote_plus(value))
        for name, _, value in (piece.partition("=") for piece in pieces if piece)
    )


def format_query(values: Mapping[str, object] | Sequence[tuple[str, object]]) -> str:
    """Write `values` as a query string, without `?`.

    A list or tuple repeats its name, None and what is nested have an empty value, booleans are
    `true` and `false`, everything else is what `str` makes of it.

    >>> format_query({"q": "a b&c", "tag": ["x", "y"], "page": 2, "none": None})
    'q=a+b%26c&tag=x&tag=y&page=2&none='
    """
    return "&".join(f"{_encode(name)}={_encode(_text(value))}" for name, value in _pairs(values))


def _pairs(
    values: Mapping[str, object] | Sequence[tuple[str, object]],
) -> Iterator[tuple[str, object]]:
    if isinstance(values, Query):
        yield from values.pairs()
        return
    for name, value in values.items() if isinstance(values, Mapping) else values:
        if isinstance(value, list | tuple):
            for each in value:  # pyright: ignore[reportUnknownVariableType] - any object will do
                yield name, each
        else:
            yield name, value


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return json.dumps(value)  # as JavaScript writes true, false and NaN
    if value is None or isinstance(value, Iterable):
        return ""
    return str(value)


def _encode(text: str) -> str:
    return quote_plus(_scalar(text), safe="*").replace("~", "%7E")


def _scalar(text: str) -> str:
    """Return `text` with U+FFFD for each surrogate that stands alone (WHATWG Infra, 4.6)."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
