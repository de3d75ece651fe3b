"""The tree of errors."""

from typing import Any

import pytest

from ohia import errors
from ohia.errors import HTTPError, NamedHTTPError, NotFound, WebSocketClosed, http_error
from ohia.http.status import PHRASES


def test_every_4xx_and_5xx_has_a_class_with_its_phrase() -> None:
    statuses = {each.default_status for each in NamedHTTPError.__subclasses__()}
    assert statuses == {status for status in PHRASES if status >= 400}
    for each in NamedHTTPError.__subclasses__():
        error = each()
        assert (error.status, error.message) == (
            each.default_status,
            PHRASES[each.default_status],
        )
        assert each.__name__ in errors.__all__


def test_a_named_error_takes_the_message_first() -> None:
    error = NotFound("no such cat", cat="tobi", headers={"X": "1"})
    assert (error.status, error.message, error.expose) == (404, "no such cat", True)
    assert (vars(error)["cat"], error.headers, str(error)) == ("tobi", {"X": "1"}, "no such cat")


@pytest.mark.parametrize(
    ("status", "name", "message"),
    [
        (404, "NotFound", "Not Found"),
        (418, "ImATeapot", "I'm a Teapot"),
        (413, "PayloadTooLarge", "Payload Too Large"),
        (499, "HTTPError", "499"),
        (500, "InternalServerError", "Internal Server Error"),
    ],
)
def test_http_error_finds_the_class(status: int, name: str, message: str) -> None:
    error = http_error(status)
    assert (type(error).__name__, error.message) == (name, message)
    assert error.expose is (status < 500)


@pytest.mark.parametrize("status", [399, 600, 200, "404", None, True, 404.0])
def test_a_status_that_is_no_error_is_refused(status: Any) -> None:
    with pytest.raises(ValueError, match="400 to 599"):
        http_error(status)


def test_a_closed_socket_tells_code_and_reason() -> None:
    assert (WebSocketClosed().code, str(WebSocketClosed(4000, "bye"))) == (1006, "4000 bye")


def test_the_base_tells_itself() -> None:
    assert repr(HTTPError(503, "later")) == "HTTPError(503, 'later')"
