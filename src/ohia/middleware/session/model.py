"""Session: the mapping behind `ctx.session`."""

import weakref
from collections.abc import Iterator, Mapping, MutableMapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from ohia import Context

if TYPE_CHECKING:
    from ohia.middleware.session.keeper import Keeper

__all__ = ["Session"]

T = TypeVar("T")


class Session(MutableMapping[str, Any]):
    """What is remembered of one browser: a mapping of names to what JSON can hold.

    A name is text that does not begin with `_`; those are the session's own. Whatever changed,
    in depth too, is saved before the head of the answer leaves.
    """

    __slots__ = ("_ctx", "_keeper_of_it", "_values", "is_new")

    is_new: bool
    """Whether it began with this request."""

    def __init__(
        self, ctx: Context, keeper: "Keeper", values: Mapping[str, Any], *, is_new: bool
    ) -> None:
        self._ctx = weakref.ref(ctx)
        self._keeper_of_it = weakref.ref(keeper)
        self._values = dict[str, Any]()
        self.is_new = is_new
        self.update(values)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - what was put there
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:  # noqa: ANN401 - anything
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise TypeError(f"a name in the session must be str, got {name!r}")
        if name.startswith("_"):
            raise ValueError(f"{name!r}: names that begin with _ are the session's own")
        self._values[name] = value

    def __delitem__(self, name: str) -> None:
        del self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def populated(self) -> bool:
        """Whether there is anything in it."""
        return bool(self._values)

    @property
    def id(self) -> str | None:
        """Its key in the store; None if it is kept in the cookie."""
        return self._keeper.id

    @property
    def max_age(self) -> float | None:
        """The seconds that it lasts; None until the browser is closed.

        Setting it, to a timedelta too, saves it; ValueError for what is not above 0.
        """
        return self._keeper.max_age

    @max_age.setter
    def max_age(self, max_age: float | timedelta | None) -> None:
        self._keeper.change_max_age(max_age)

    async def save(self) -> None:
        """Save it now, changed or not, empty or not."""
        await self._keeper.save(self._alive)

    async def regenerate(self) -> None:
        """Give it a new id and forget the old one, as after a login (CWE-384)."""
        await self._keeper.regenerate(self._alive)

    async def manually_commit(self) -> None:
        """Save it if it changed, forget it if it was destroyed: for `auto_commit=False`."""
        await self._keeper.commit(self._alive)

    def to_dict(self) -> dict[str, Any]:
        """Return its values."""
        return self._values.copy()

    @property
    def _alive(self) -> Context:
        return _alive(self._ctx)

    @property
    def _keeper(self) -> "Keeper":
        return _alive(self._keeper_of_it)

    def __repr__(self) -> str:
        return f"Session({', '.join(self._values)})"


def _alive(reference: "weakref.ref[T]") -> T:
    found = reference()
    if found is None:
        raise RuntimeError("this request is over, and so is its session")
    return found
