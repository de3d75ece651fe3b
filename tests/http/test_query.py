import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.http.query import Query, format_query, parse_query

words = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        ("?", []),
        ("a=1&b=2&a=3", [("a", "1"), ("b", "2"), ("a", "3")]),
        ("?a=1", [("a", "1")]),  # URLSearchParams drops one question mark
        ("&&a&&", [("a", "")]),
        ("=b&=", [("", "b"), ("", "")]),
        ("a=b=c", [("a", "b=c")]),
        ("a+b=c+d%2B", [("a b", "c d+")]),
        ("a=%zz%4&b=%", [("a", "%zz%4"), ("b", "%")]),
        ("a=%C3%A9%ff", [("a", "é�")]),
        ("a=%EF%BB%BF", [("a", "\ufeff")]),  # a byte order mark is no exception
        ("a=1;b=2", [("a", "1;b=2")]),
        ("a[b]=1", [("a[b]", "1")]),
        ("__proto__=x&__class__=y", [("__proto__", "x"), ("__class__", "y")]),
        ("a=\ud800", [("a", "�")]),
    ],
)
def test_a_query_is_read_as_url_search_params_reads_it(
    text: str, pairs: list[tuple[str, str]]
) -> None:
    assert parse_query(text).pairs() == pairs


def test_a_query_is_a_mapping_to_first_values_in_order() -> None:
    query = parse_query("b=1&a=2&b=3")
    assert dict(query) == {"b": "1", "a": "2"}
    assert list(query) == ["b", "a"]
    assert len(query) == 2
    assert query.get("c") is None
    assert "c" not in query


def test_all_values_of_a_name_come_as_a_list() -> None:
    query = parse_query("a=1&a=2")
    assert query.get_all("a") == ["1", "2"]
    assert query.get_all("b") == []


def test_what_a_query_hands_out_does_not_change_it() -> None:
    query = parse_query("a=1")
    query.get_all("a").append("2")
    query.pairs().append(("b", "2"))
    assert query.pairs() == [("a", "1")]
    assert query.get_all("a") == ["1"]


def test_queries_are_equal_if_all_their_pairs_are() -> None:
    assert parse_query("a=1&a=2") == Query([("a", "1"), ("a", "2")])
    assert parse_query("a=1&a=2") != parse_query("a=1")
    assert hash(parse_query("a=1")) == hash(Query([("a", "1")]))
    assert parse_query("a=1") == {"a": "1"}


def test_a_query_shows_its_pairs() -> None:
    assert repr(parse_query("a=1")) == "Query([('a', '1')])"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, ""),
        ({"a": "b c&d"}, "a=b+c%26d"),
        ({"a": ["1", 2], "b": ("x",), "c": []}, "a=1&a=2&b=x"),
        ({"a": None, "b": {}, "c": [[1], None]}, "a=&b=&c=&c="),
        ({"a": True, "b": False, "c": [True]}, "a=true&b=false&c=true"),
        ({"a": 1.5, "b": float("nan"), "c": 0}, "a=1.5&b=NaN&c=0"),
        ([("a", 1), ("b", 2), ("a", 3)], "a=1&b=2&a=3"),
        (Query([("a", "1"), ("b", "2"), ("a", "3")]), "a=1&b=2&a=3"),
        ({"~-_.*": "é'()!"}, "%7E-_.*=%C3%A9%27%28%29%21"),
        ({"a": "\ud800"}, "a=%EF%BF%BD"),
    ],
)
def test_a_query_is_written_as_koa_writes_it(values: dict[str, object], text: str) -> None:
    assert format_query(values) == text


def test_other_values_are_written_as_str_makes_them() -> None:
    assert format_query({"a": Money()}) == "a=3+EUR"


class Money:
    def __str__(self) -> str:
        return "3 EUR"


@given(st.lists(st.tuples(words, words)))
def test_what_is_written_is_read_back_the_same(pairs: list[tuple[str, str]]) -> None:
    assert parse_query(format_query(pairs)).pairs() == pairs


@given(st.text())
def test_no_text_is_wrong(text: str) -> None:
    query = parse_query(text)
    assert set(query) == {name for name, _ in query.pairs()}
