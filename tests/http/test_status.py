import pytest

from ohia.http.status import EMPTY, PHRASES, REDIRECT, phrase


@pytest.mark.parametrize(
    ("status", "expected"),  # RFC 9110, 15, and the registry of IANA
    [
        (200, "OK"),
        (101, "Switching Protocols"),
        (204, "No Content"),
        (302, "Found"),
        (404, "Not Found"),
        (413, "Payload Too Large"),  # as in npm's statuses, whatever Python calls it
        (418, "I'm a Teapot"),
        (422, "Unprocessable Entity"),
        (500, "Internal Server Error"),
        (511, "Network Authentication Required"),
    ],
)
def test_the_phrase_of_a_status(status: int, expected: str) -> None:
    assert phrase(status) == expected


@pytest.mark.parametrize("status", [-1, 0, 99, 299, 306, 419, 499, 600, 1000])
def test_a_status_without_a_name_has_the_empty_phrase(status: int) -> None:
    assert phrase(status) == ""


def test_phrases_can_be_sent_in_a_status_line() -> None:
    assert all(each.isascii() and each.isprintable() and each for each in PHRASES.values())
    assert all(100 <= status <= 599 for status in PHRASES)


def test_statuses_without_a_body_and_those_that_redirect_are_known() -> None:
    assert frozenset({204, 205, 304}) == EMPTY
    assert frozenset({300, 301, 302, 303, 305, 307, 308}) == REDIRECT
    assert PHRASES.keys() >= EMPTY | REDIRECT
