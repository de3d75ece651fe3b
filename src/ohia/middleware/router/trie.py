"""The table of a router: templates as a tree of segments.

A path is walked once, segment by segment. What a node holds is looked up by the segment's text;
only parameters with types, or with text around them, are tried one by one. Each node is met at
most once for a path, so the time is bounded by the templates, and is linear in the path.
"""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from ohia.http.path import relative_path
from ohia.middleware.router.pattern import Segment, Slot, Wildcard

__all__ = ["UNCLEAR", "Node", "insert", "walk"]

Item = TypeVar("Item")

Values = tuple[Any, ...]

UNCLEAR = object()
"""The value of a wildcard that would not say where its segments end: see `relative_path`."""


class Node(Generic[Item]):
    """What follows one segment."""

    __slots__ = ("exact", "literals", "loose", "parameter", "prefix", "rest", "slots")

    def __init__(self) -> None:
        self.literals: dict[str, Node[Item]] = {}
        self.parameter: Node[Item] | None = None
        """Below a parameter that takes any text."""
        self.slots: dict[object, tuple[Slot, Node[Item]]] = {}
        self.exact: Item | None = None
        """What ends here."""
        self.loose: Item | None = None
        """What ends here or with one slash more."""
        self.rest: Item | None = None
        """What takes all that follows."""
        self.prefix: Item | None = None
        """What holds for all that follows, and for the end."""


def insert(root: Node[Item], segments: Sequence[Segment]) -> Node[Item]:
    """Return the node that `segments`, without a wildcard, lead to; made if it is missing."""
    node = root
    for segment in segments:
        if isinstance(segment, str):
            node = node.literals.setdefault(segment, Node())
        elif isinstance(segment, Wildcard):
            raise TypeError("a wildcard has no node of its own")
        elif segment.is_plain:
            if node.parameter is None:
                node.parameter = Node()
            node = node.parameter
        else:
            node = node.slots.setdefault(segment.key, (segment, Node()))[1]
    return node


def walk(  # noqa: C901, PLR0912, PLR0915 - each call less is paid less
    node: Node[Item],
    segments: list[str],
    at: int,
    values: Values,
    found: list[tuple[Item, Values]],
) -> None:
    """Append to `found` all that `segments` from `at` lead to, with the values on the way.

    In no order that means anything.
    """
    count = len(segments)
    while True:
        if node.prefix is not None:
            found.append((node.prefix, values))
        if at == count:
            if node.exact is not None:
                found.append((node.exact, values))
            return
        segment = segments[at]
        at += 1
        if node.rest is not None and (segment or at < count):
            rest = relative_path(segments[at - 1 :]) or UNCLEAR
            found.append((node.rest, (*values, rest)))
        if node.slots:
            for slot, behind in node.slots.values():
                read = slot.read(segment)
                if read is not None:
                    walk(behind, segments, at, values + read, found)
        following = node.literals.get(segment)
        if segment:
            below = node.parameter
            if below is not None:
                if following is None:  # the usual case, without a call
                    node, values = below, (*values, segment)
                    continue
                walk(below, segments, at, (*values, segment), found)
        elif at == count and node.loose is not None:
            found.append((node.loose, values))
        if following is None:
            return
        node = following
