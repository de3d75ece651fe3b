"""What a form says: texts by name, files by name, and both as plain nested data on request."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn, cast

from ohia.errors import BadRequest
from ohia.http.query import Query
from ohia.middleware.body.upload import Upload

__all__ = ["Files", "Form", "nest"]


class Files(Mapping[str, Upload]):
    """The files of a form: `files[name]` is the first of the field `name`."""

    __slots__ = ("_uploads", "_values")

    def __init__(self, uploads: Iterable[Upload] = ()) -> None:
        self._uploads = tuple(uploads)
        self._values: dict[str, list[Upload]] = {}
        for upload in self._uploads:
            self._values.setdefault(upload.name, []).append(upload)

    def __getitem__(self, name: str) -> Upload:
        return self._values[name][0]

    def get_all(self, name: str) -> list[Upload]:
        """Return all files of the field `name` in order, the empty list where there is none."""
        return list(self._values.get(name, ()))

    def uploads(self) -> list[Upload]:
        """Return every file, in the order they came."""
        return list(self._uploads)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Files({self.uploads()!r})"


class Form(Query):
    """The fields of a form as texts: `form[name]` is the first of `name`, `get_all` gives each.

    `files` are those that came with it.
    """

    __slots__ = ("files",)

    files: Files

    def __init__(
        self, fields: Iterable[tuple[str, str]] = (), uploads: Iterable[Upload] = ()
    ) -> None:
        super().__init__(fields)
        self.files = Files(uploads)

    def __setitem__(self, name: str, value: object) -> NoReturn:
        raise TypeError("a form is read-only: change a copy, dict(form)")

    def __delitem__(self, name: str) -> NoReturn:
        raise TypeError("a form is read-only: change a copy, dict(form)")

    def nested(self, depth: int = 5) -> dict[str, Any]:
        """Return the fields as plain dicts, lists and texts, by the brackets in their names.

        `a[b]=1` is `{"a": {"b": "1"}}`; `a[]=1&a[]=2`, `a=1&a=2` and `a[0]=1&a[1]=2` are
        `{"a": ["1", "2"]}`. BadRequest for more than `depth` pairs of brackets in a name, and
        for a name that is a text and has parts of its own.
        """
        return nest(self.pairs(), depth)

    def __repr__(self) -> str:
        return f"Form({self.pairs()!r}, {self.files.uploads()!r})"


def nest(pairs: Iterable[tuple[str, str]], depth: int) -> dict[str, Any]:
    """Return `pairs` as nested data; see `Form.nested`.

    >>> nest([("a[b]", "1"), ("a[c][]", "2"), ("a[c][]", "3"), ("d]", "4")], 5)
    {'a': {'b': '1', 'c': ['2', '3']}, 'd]': '4'}
    """
    tree: dict[str, Any] = {}
    for name, value in pairs:
        _put(tree, name, _keys(name, depth), value)
    return {name: _with_lists(value) for name, value in tree.items()}


def _keys(name: str, depth: int) -> list[str]:
    """Return the keys that lead to a value; a name without brackets, or odd ones, is one key."""
    first, bracket, rest = name.partition("[")
    if not (first and bracket and rest.endswith("]")):
        return [name]
    keys = [first, *rest[:-1].split("][", depth)]
    if len(keys) > depth + 1:
        raise BadRequest(f"Form field nested deeper than {depth}")
    return keys


def _put(tree: dict[str, Any], name: str, keys: list[str], value: str) -> None:
    *path, last = keys
    node = tree
    is_list = last == "" and bool(path)
    if is_list:
        *path, last = path
    for key in path:
        below: Any = node.setdefault(key, {})
        if not isinstance(below, dict):
            raise _conflict(name)
        node = cast("dict[str, Any]", below)
    known = node.get(last)
    if isinstance(known, dict):
        raise _conflict(name)
    node[last] = _more(known, value, is_list=is_list)


def _more(known: "str | list[str] | None", value: str, *, is_list: bool) -> "str | list[str]":
    if known is None:
        return [value] if is_list else value
    if isinstance(known, str):
        return [known, value]
    known.append(value)
    return known


def _conflict(name: str) -> BadRequest:
    return BadRequest(f"Form field {name[:100]!r} is a value and has parts")


def _with_lists(node: Any) -> Any:  # noqa: ANN401 - nested data
    """Return `node` with a list for each dict whose keys count up from 0."""
    if not isinstance(node, dict):
        return node
    children = {key: _with_lists(each) for key, each in cast("dict[str, Any]", node).items()}
    is_list = all(key == str(place) for place, key in enumerate(children))
    return list(children.values()) if is_list else children
