"""State: the namespace that middleware shares through `ctx.state`."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import TypeVar
else:
    from typing import TypeVar

__all__ = ["S", "State"]


class State:
    """A namespace with attributes and items that are the same.

    A missing attribute is AttributeError, a missing item KeyError.

    >>> state = State()
    >>> state.user = "tobi"
    >>> state["user"], "user" in state, list(state)
    ('tobi', True, ['user'])
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        if values:
            self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - only called for what is missing
        raise AttributeError(f"ctx.state has no {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401 - anything
        self.__dict__[name] = value

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - anything
        return self.__dict__[name]

    def __setitem__(self, name: str, value: Any) -> None:  # noqa: ANN401 - anything
        self.__dict__[name] = value

    def __delitem__(self, name: str) -> None:
        del self.__dict__[name]

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __len__(self) -> int:
        return len(self.__dict__)

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - anything
        """Return the value of `name`, or `default`."""
        return self.__dict__.get(name, default)

    def __repr__(self) -> str:
        return f"State({', '.join(self.__dict__)})"


if TYPE_CHECKING:
    S = TypeVar("S", default=State)  # in `typing` from Python 3.13 on
else:
    S = TypeVar("S")
