import pytest

from ohia.http.host_pattern import check_host_pattern, find_host

TABLE = {
    "example.com": "name",
    "example.com:8080": "port",
    "*.example.com": "parent",
    "*.deep.example.com": "deep",
    "[::1]": "address",
}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("example.com", "name"),
        ("EXAMPLE.com", "name"),
        ("example.com.", "name"),
        ("example.com:80", "name"),
        ("example.com:8080", "port"),
        ("a.example.com", "parent"),
        ("a.b.example.com:1", "parent"),
        ("a.deep.example.com", "deep"),
        ("deep.example.com", "parent"),
        ("badexample.com", None),
        ("com", None),
        ("[::1]:3000", "address"),
        ("", None),
        ("example.com/x", None),
    ],
)
def test_the_most_specific_host_is_found(host: str, expected: str | None) -> None:
    assert find_host(host, TABLE) == expected


def test_a_star_takes_what_is_left_but_no_invalid_host() -> None:
    assert find_host("x.org", {"*": 1, "example.com": 2}) == 1
    assert find_host("a/b", {"*": 1}) is None


def test_an_address_in_another_spelling_has_its_port_too() -> None:
    assert find_host("[0::1]:80", {"[::1]:80": 1, "[::1]": 2}) == 1


@pytest.mark.parametrize(
    "pattern",
    ["*", "a", "A.example", "*.example.com", "a:80", "[::1]", "[::1]:80", "[::FFFF]", "10.0.0.1:1"],
)
def test_what_some_host_matches_is_taken(pattern: str) -> None:
    host = f"x{pattern[1:]}" if pattern.startswith("*") else pattern
    assert find_host(host, {check_host_pattern(pattern): 1}) == 1


@pytest.mark.parametrize(
    "pattern",
    [
        *("*.example.com:3000", "*:80", "example.com.", "*.example.com.", "example.com.:80"),
        *("example.com:", "example.com:080", "a:0", "[::1]:", "a:99999"),
        *("[0:0::1]", "*.[::1]", "bücher.example"),
    ],
)
def test_what_no_host_would_ever_match_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="a host is"):
        check_host_pattern(pattern)


@pytest.mark.parametrize("pattern", ["", "a/b", "*.", "a.*.b", "http://a", "*a.com", "a b"])
def test_what_is_no_host_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="a host is"):
        check_host_pattern(pattern)
