"""Headers: ordered fields, several values a name, case ignored (RFC 9110, 5).

One class serves both sides: the fields of a request as they came, and those of a response
until they leave. A name keeps the case that it was given; whatever is set is checked, so that
what the class holds can be written to the wire as it is.
"""

import re
from collections.abc import ItemsView, Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import TypeVar, cast, overload

__all__ = ["HeaderValue", "Headers", "check_name", "check_value", "parse_length"]

HeaderValue = str | int | Sequence[str | int]
"""What a field can be set to."""

Default = TypeVar("Default")

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2
UNSAFE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")  # RFC 9110, 5.5, as Node reads it
SINGLE = frozenset({"content-type", "content-length"})


def check_name(name: str) -> str:
    """Return `name` if it is a field name, a token (RFC 9110, 5.1); else raise ValueError."""
    if not TOKEN.fullmatch(name):
        raise ValueError(f"invalid header name {name!r}")
    return name


def check_value(name: str, value: str | int) -> str:
    """Return `value` as text that can stand in a field, or raise TypeError or ValueError.

    Control characters (CR, LF and NUL first of all) would split the message, characters
    outside Latin-1 cannot be sent (RFC 9110, 5.5).
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise TypeError(f"header {name} takes str or int, got {value!r}")
    if not (value.isascii() and value.isprintable()) and UNSAFE.search(value):
        raise ValueError(f"invalid character in header {name}: {value!r}")
    return value


class Headers(MutableMapping[str, str]):
    """Fields in order, as a mapping from names in any case to text.

    `headers[name]` and `get` join repeated fields with `, ` (cookies with `; `), `get_all`
    gives them one by one. Iteration yields names in lower case. `sent` is set by whoever
    sends the fields: from then on, changes reach nobody.
    """

    __slots__ = ("_fields", "sent")

    _fields: dict[str, tuple[str, str | list[str]]]
    sent: bool

    def __init__(
        self, fields: Mapping[str, HeaderValue] | Iterable[tuple[str, HeaderValue]] = ()
    ) -> None:
        self._fields = {}
        self.sent = False
        if not fields:
            return
        if isinstance(fields, Mapping):
            fields = cast("Mapping[str, HeaderValue]", fields).items()  # both could hold pairs
        for name, value in fields:
            self.append(name, value)

    @classmethod
    def from_raw(cls, pairs: Iterable[tuple[bytes, bytes]]) -> "Headers":
        """Take over `pairs` that a server has read and checked, unchecked here."""
        headers = cls.__new__(cls)
        fields = headers._fields = {}
        headers.sent = False
        for raw_name, raw_value in pairs:
            name = raw_name.decode("latin-1")
            key = name.lower()
            value = raw_value.decode("latin-1")
            known = fields.get(key)
            if known is None:
                fields[key] = (name, value)
            elif isinstance(known[1], str):
                fields[key] = (known[0], [known[1], value])
            else:
                known[1].append(value)
        return headers

    def __getitem__(self, name: str) -> str:
        value = self._fields[name.lower()][1]
        return value if isinstance(value, str) else _join(name, value)

    @overload
    def get(self, name: str, /) -> str | None: ...
    @overload
    def get(self, name: str, /, default: str) -> str: ...
    @overload
    def get(self, name: str, /, default: Default) -> str | Default: ...
    def get(self, name: str, /, default: object = None) -> object:
        """Return the value of `name`, repeated fields joined, or `default`."""
        known = self._fields.get(name.lower())
        if known is None:
            return default
        value = known[1]
        return value if isinstance(value, str) else _join(name, value)

    def get_all(self, name: str) -> list[str]:
        """Return the values of `name` one by one, the empty list where there is none."""
        known = self._fields.get(name.lower())
        return [] if known is None else list(_as_list(known[1]))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __setitem__(self, name: str, value: HeaderValue) -> None:
        key = name.lower()
        if isinstance(value, (str, int)):
            self._fields[key] = (check_name(name), check_value(name, value))
            return
        values = [check_value(name, each) for each in _sequence(name, value)]
        if key in SINGLE:
            if len(values) != 1:
                raise ValueError(f"{name} must contain exactly one value")
            self._fields[key] = (check_name(name), values[0])
        else:
            self._fields[key] = (check_name(name), values)

    def __delitem__(self, name: str) -> None:
        del self._fields[name.lower()]

    def put(self, name: str, value: str) -> None:
        """Set `name`, in lower case or as it shall be written, to text known to be clean."""
        self._fields[name.lower()] = (name, value)

    def append(self, name: str, value: HeaderValue) -> None:
        """Add `value` to what `name` has already, under the name as it was first given."""
        key = name.lower()
        known = self._fields.get(key)
        if known is None:
            self[name] = value
            return
        more = [value] if isinstance(value, (str, int)) else _sequence(name, value)
        values = [check_value(name, each) for each in more]
        if key in SINGLE:
            raise ValueError(f"{name} must contain exactly one value")
        if isinstance(known[1], str):
            self._fields[key] = (known[0], [known[1], *values])
        else:
            known[1].extend(values)

    def remove(self, name: str) -> None:
        """Remove `name`, if it is there."""
        self._fields.pop(name.lower(), None)

    def clear(self) -> None:
        """Remove all fields."""
        self._fields.clear()

    def copy(self) -> "Headers":
        """Return the same fields as an object of their own."""
        headers = Headers()
        headers._fields = {
            key: (name, value if isinstance(value, str) else value.copy())
            for key, (name, value) in self._fields.items()
        }
        return headers

    def entries(self) -> ItemsView[str, tuple[str, str | list[str]]]:
        """Return each name in lower case, with the name as given and its value or values."""
        return self._fields.items()

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield one pair for each field line, names in the case they were given."""
        for name, value in self._fields.values():
            if isinstance(value, str):
                yield name, value
            else:
                for each in value:
                    yield name, each

    def __repr__(self) -> str:
        return f"Headers({list(self.lines())!r})"


def parse_length(field: str) -> int | None:
    """Return a Content-Length as a number of bytes, or None for what is none.

    More digits than 64 bits have are none either: no server lets such a length through.
    """
    return int(field) if field.isascii() and field.isdigit() and len(field) < 20 else None


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _sequence(name: str, value: object) -> Sequence[str | int]:
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return value  # pyright: ignore[reportUnknownVariableType] - each item is checked
    raise TypeError(f"header {name} takes str, int or a list of them, got {value!r}")


def _join(name: str, values: list[str]) -> str:
    return ("; " if name.lower() == "cookie" else ", ").join(values)
