"""How much of a form is taken. Whatever exceeds a limit is PayloadTooLarge (413)."""

from dataclasses import dataclass, replace
from typing import TypedDict

from ohia.amounts import check_whole
from ohia.errors import PayloadTooLarge

__all__ = ["FormLimits", "FormOptions", "check", "limited"]

KIB = 1024
MIB = 1024 * KIB
NEVER_OFF = frozenset({"max_part_headers", "max_part_header_size"})


class FormOptions(TypedDict, total=False):
    """What `form()` and `parts()` may be given, each instead of what `body()` was given."""

    form_limit: int | None
    multipart_limit: int | None
    max_fields: int | None
    max_fields_size: int | None
    max_files: int | None
    max_file_size: int | None
    max_part_headers: int
    max_part_header_size: int


@dataclass(frozen=True, slots=True)
class FormLimits:
    """Sizes in bytes, after inflating; None is off."""

    form_limit: int | None = 56 * KIB  # of an urlencoded body
    multipart_limit: int | None = 64 * MIB  # of a multipart body, all in all
    max_fields: int | None = 1000
    max_fields_size: int | None = MIB  # of the texts of all multipart fields together
    max_files: int | None = 100
    max_file_size: int | None = 32 * MIB  # of each
    max_part_headers: int = 8
    max_part_header_size: int = 4 * KIB  # of each line


def limited(function: str, limits: FormLimits, options: FormOptions) -> FormLimits:
    """Return `limits` with `options` instead; TypeError for what `function` does not take."""
    for name, value in options.items():
        if name not in FormOptions.__annotations__:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")
        if value is not None or name in NEVER_OFF:
            check_whole(name, value)
    return replace(limits, **options) if options else limits


def check(value: int, limit: int | None, what: str) -> None:
    """Raise PayloadTooLarge if `value` is more than `limit`; `what` there is too much of."""
    if limit is not None and value > limit:
        raise PayloadTooLarge(f"{what}: more than {limit}", limit=limit)
