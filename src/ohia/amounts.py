"""Options that are numbers: sizes in bytes, counts, times in seconds.

Koa's packages take a text such as "1mb" or "1d" there; here each has one unit.
"""

from datetime import timedelta

__all__ = ["check_whole", "to_seconds"]


def check_whole(option: str, value: object) -> None:
    """Refuse (TypeError) a size or a count that is no int.

    >>> check_whole("json_limit", "1mb")
    Traceback (most recent call last):
    TypeError: json_limit is an int (sizes are in bytes: 1024 * 1024), got '1mb'
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{option} is an int (sizes are in bytes: 1024 * 1024), got {value!r}")


def to_seconds(option: str, time: float | timedelta) -> float:
    """Return `time` in seconds; TypeError for what is neither a number nor a timedelta.

    >>> to_seconds("max_age", timedelta(minutes=1))
    60.0
    """
    seconds = time.total_seconds() if isinstance(time, timedelta) else time
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{option} is seconds or a timedelta, got {time!r}")
    return seconds
