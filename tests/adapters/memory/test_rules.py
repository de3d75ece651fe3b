import pytest

from ohia.adapters.memory.rules import ContractViolation, ResponseRules
from ohia.http.headers import Headers


def rules_after_head(
    status: int = 200, headers: dict[str, str] | None = None, *, method: str = "GET"
) -> ResponseRules:
    rules = ResponseRules(method)
    rules.start(status, "", Headers(headers or {}))
    return rules


def unchecked(name: str, value: str) -> Headers:
    headers = Headers()
    headers.put(name, value)
    return headers


def test_a_response_as_long_as_its_content_length_is_fine() -> None:
    rules = rules_after_head(headers={"Content-Length": "3"})
    rules.piece(b"ab")
    rules.piece(b"c")
    rules.end()
    assert rules.ended
    assert rules.violation is None


@pytest.mark.parametrize(
    ("method", "status", "headers"),
    [
        ("HEAD", 200, {"Content-Length": "10"}),
        ("GET", 304, {"Content-Length": "10"}),  # RFC 9110, 8.6
        ("GET", 204, {}),
        ("GET", 205, {"Content-Length": "0"}),
    ],
)
def test_an_answer_without_a_body_is_fine(
    method: str, status: int, headers: dict[str, str]
) -> None:
    rules_after_head(status, headers, method=method).end()


@pytest.mark.parametrize(
    ("status", "reason", "headers"),
    [
        (99, "", Headers()),
        (1000, "", Headers()),
        (True, "", Headers()),
        ("200", "", Headers()),
        (200, "a\r\nb", Headers()),
        (200, "", unchecked("a b", "1")),
        (200, "", unchecked("a", "1\r\nb: 2")),
        (200, "", unchecked("a", "\u20ac")),
        (200, "", unchecked("Content-Length", "-1")),
        (200, "", unchecked("Content-Length", "1, 1")),
        (200, "", unchecked("Content-Length", "\u0661")),  # a digit, but no ASCII
        (204, "", Headers({"Content-Length": "0"})),  # RFC 9110, 8.6
        (101, "", Headers({"Content-Length": "0"})),
        (205, "", Headers({"Content-Length": "1"})),  # RFC 9110, 15.3.6
        (200, "", Headers({"Content-Length": "1", "Transfer-Encoding": "chunked"})),
    ],
)
def test_a_head_that_cannot_be_sent_is_a_violation(
    status: int, reason: str, headers: Headers
) -> None:
    rules = ResponseRules("GET")
    with pytest.raises(ContractViolation) as caught:
        rules.start(status, reason, headers)
    assert rules.violation is caught.value
    assert not rules.begun


def test_a_second_head_is_a_violation() -> None:
    rules = rules_after_head()
    with pytest.raises(ContractViolation, match="second head"):
        rules.start(200, "OK", Headers())


@pytest.mark.parametrize("piece", [b"", "text", bytearray(b"a"), None])
def test_a_piece_is_bytes_and_not_empty(piece: bytes) -> None:
    with pytest.raises(ContractViolation, match="not empty"):
        rules_after_head().piece(piece)


def test_a_piece_before_the_head_is_a_violation() -> None:
    with pytest.raises(ContractViolation, match="before the head"):
        ResponseRules("GET").piece(b"a")


def test_a_piece_after_the_end_is_a_violation() -> None:
    rules = rules_after_head()
    rules.end()
    with pytest.raises(ContractViolation, match="after the end"):
        rules.piece(b"a")


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("GET", 101), ("GET", 204), ("GET", 205), ("GET", 304)]
)
def test_a_body_where_there_is_none_is_a_violation(method: str, status: int) -> None:
    rules = rules_after_head(status, method=method)
    with pytest.raises(ContractViolation, match="a body for HEAD"):
        rules.piece(b"a")


def test_more_bytes_than_content_length_are_a_violation() -> None:
    rules = rules_after_head(headers={"Content-Length": "1"})
    with pytest.raises(ContractViolation, match="1 bytes more"):
        rules.piece(b"ab")


def test_fewer_bytes_than_content_length_are_a_violation() -> None:
    rules = rules_after_head(headers={"Content-Length": "2"})
    rules.piece(b"a")
    with pytest.raises(ContractViolation, match="1 bytes fewer"):
        rules.end()


def test_an_end_before_the_head_is_a_violation() -> None:
    with pytest.raises(ContractViolation, match="before the head"):
        ResponseRules("GET").end()


def test_a_second_end_is_a_violation() -> None:
    rules = rules_after_head()
    rules.end()
    with pytest.raises(ContractViolation, match="second end"):
        rules.end()


def test_the_first_violation_is_kept() -> None:
    rules = ResponseRules("GET")
    first = rules.broken("first")
    rules.broken("second")
    assert rules.violation is first
