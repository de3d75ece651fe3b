"""Sizes are in bytes, times in seconds, and what is neither is told when it is written."""

from collections.abc import Callable
from datetime import timedelta
from math import inf
from pathlib import Path
from typing import Any

import pytest

from ohia.amounts import check_whole, to_seconds
from ohia.middleware.body import body
from ohia.middleware.compress import compress
from ohia.middleware.cors import cors
from ohia.middleware.favicon import favicon
from ohia.middleware.secure import secure
from ohia.middleware.session import MemoryStore, session
from ohia.middleware.sse import sse
from ohia.middleware.static import static
from ohia.middleware.timeout import timeout


@pytest.mark.parametrize("value", [0, 1, -1, 2**70])
def test_a_whole_number_passes(value: int) -> None:
    check_whole("json_limit", value)


@pytest.mark.parametrize("value", ["1mb", "1", 1.0, True, None, inf])
def test_what_is_no_whole_number_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match=r"json_limit is an int .* 1024 \* 1024\), got"):
        check_whole("json_limit", value)


@pytest.mark.parametrize(
    ("time", "seconds"), [(1, 1), (0.5, 0.5), (timedelta(hours=1), 3600), (inf, inf)]
)
def test_a_time_is_seconds_or_a_timedelta(time: Any, seconds: float) -> None:
    assert to_seconds("max_age", time) == seconds


@pytest.mark.parametrize("time", ["1d", "15", b"1", True, None])
def test_what_is_no_time_is_refused(time: Any) -> None:
    with pytest.raises(TypeError, match="max_age is seconds or a timedelta, got"):
        to_seconds("max_age", time)


@pytest.mark.parametrize(
    "option",
    [
        *("json_limit", "text_limit", "xml_limit", "form_limit", "multipart_limit"),
        *("max_fields", "max_fields_size", "max_files", "max_file_size"),
        *("max_part_headers", "max_part_header_size", "spool_size", "form_depth"),
    ],
)
def test_each_size_of_a_body_is_an_int(option: str) -> None:
    with pytest.raises(TypeError, match=f"^{option} is an int"):
        body(**{option: "1mb"})  # type: ignore[arg-type]


@pytest.mark.parametrize("option", ["max_part_headers", "max_part_header_size", "spool_size"])
def test_where_there_is_always_a_limit_none_is_refused(option: str) -> None:
    with pytest.raises(TypeError, match=f"^{option} is an int"):
        body(**{option: None})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "option"),
    [
        (session, "max_age"),
        (MemoryStore, "ttl"),
        (sse, "heartbeat"),
        (sse, "retry"),
        (cors, "max_age"),
        (secure, "hsts_max_age"),
        (favicon, "max_age"),
        (lambda **options: static(Path(__file__).parent, **options), "max_age"),
        (lambda **options: timeout(1, **options), "cleanup"),
        (timeout, "seconds"),
    ],
)
def test_a_text_is_no_time(make: Callable[..., Any], option: str) -> None:
    with pytest.raises(TypeError, match=r"(?:a time|[a-z_]+) is seconds or a timedelta, got '1d'"):
        make(**{option: "1d"})


def test_a_text_is_no_threshold() -> None:
    with pytest.raises(TypeError, match=r"^threshold is an int"):
        compress(threshold="1kb")  # type: ignore[arg-type]
