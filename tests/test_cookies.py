from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.cookies import Cookies
from ohia.http.headers import Headers
from ohia.keygrip import Keygrip, Keys

EPOCH = "expires=Thu, 01 Jan 1970 00:00:00 GMT"
KEYS = Keygrip(["new", "old"])
SIGNED_BY_OLD = Keygrip(["old"]).sign("a=1")
SIGNED_BY_NEW = Keygrip(["new"]).sign("a=1")


class Jar(Cookies):
    """Cookies, and the headers they write to."""

    def __init__(self, header: str = "", **options: Any) -> None:
        self.response = Headers()
        super().__init__(Headers({"Cookie": header} if header else {}), self.response, **options)

    @property
    def lines(self) -> list[str]:
        return self.response.get_all("Set-Cookie")


def test_a_cookie_is_got_by_name() -> None:
    assert Jar("a=1; b=2").get("b") == "2"
    assert Jar("a=1").get("b") is None
    assert Jar().get("a") is None


def test_names_can_be_looked_at() -> None:
    cookies = Jar("a=1; b=2; a=3")
    assert list(cookies) == ["a", "b"]
    assert "a" in cookies
    assert "c" not in cookies
    assert 5 not in cookies


def test_a_cookie_is_set_with_safe_attributes_and_the_call_can_be_chained() -> None:
    cookies = Jar()
    assert cookies.set("a", "1").set("b", "2", http_only=False) is cookies
    assert cookies.lines == ["a=1; path=/; httponly", "b=2; path=/"]


@pytest.mark.parametrize(
    ("value", "sent"), [(0, "0"), (5, "5"), (1.5, "1.5"), (True, "true"), (False, "false")]
)
def test_numbers_are_sent_as_text(value: float, sent: str) -> None:
    cookies = Jar()
    cookies.set("a", value)
    assert cookies.lines == [f"a={sent}; path=/; httponly"]


@pytest.mark.parametrize("value", [b"1", [], object()])
def test_other_values_are_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="argument value must be str or a number"):
        Jar().set("a", value)


@pytest.mark.parametrize("value", [None, ""])
def test_no_value_deletes(value: str | None) -> None:
    cookies = Jar()
    cookies.set("a", value, max_age=60)
    assert cookies.lines == [f"a=; path=/; {EPOCH}; httponly"]


def test_a_cookie_is_deleted_where_it_was_set() -> None:
    cookies = Jar(keys=KEYS)
    cookies.delete("a", path="/p", domain="b.example")
    attributes = f"path=/p; {EPOCH}; domain=b.example; httponly"
    signature = KEYS.sign("a=")
    assert cookies.lines == [f"a=; {attributes}", f"a.sig={signature}; {attributes}"]


@pytest.mark.parametrize("max_age", [60, 60.0, timedelta(minutes=1)])
def test_max_age_counts_from_now(max_age: float | timedelta) -> None:
    cookies = Jar()
    before = datetime.now(UTC).replace(microsecond=0)
    cookies.set("a", "1", max_age=max_age, expires=0)
    date = parsedate_to_datetime(cookies.lines[0].split("; ")[2].removeprefix("expires="))
    assert before <= date - timedelta(minutes=1) <= datetime.now(UTC)


@pytest.mark.parametrize("max_age", [0, -1, timedelta(0)])
def test_a_max_age_of_nothing_expires_at_once(max_age: float | timedelta) -> None:
    cookies = Jar()
    cookies.set("a", "1", max_age=max_age)
    assert cookies.lines == [f"a=1; path=/; {EPOCH}; httponly"]


@pytest.mark.parametrize(
    ("max_age", "error"),
    [(float("nan"), ValueError), (float("inf"), ValueError), ("60", TypeError)],
)
def test_a_max_age_that_is_no_time_is_refused(max_age: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="option max_age"):
        Jar().set("a", "1", max_age=max_age)


def test_a_refused_cookie_leaves_nothing_behind() -> None:
    cookies = Jar(keys=KEYS)
    with pytest.raises(ValueError, match="option path is invalid"):
        cookies.set("a", "1", path="/;")
    assert cookies.lines == []


def test_cookies_are_signed_where_there_are_keys() -> None:
    cookies = Jar(keys=KEYS)
    cookies.set("a", "1", same_site="lax").set("b", "2", signed=False)
    assert cookies.lines == [
        "a=1; path=/; samesite=lax; httponly",
        f"a.sig={SIGNED_BY_NEW}; path=/; samesite=lax; httponly",
        "b=2; path=/; httponly",
    ]


def test_signing_without_keys_is_an_error() -> None:
    cookies = Jar("a=1")
    with pytest.raises(RuntimeError, match=r"^\.keys required for signed cookies$"):
        cookies.set("a", "1", signed=True)
    with pytest.raises(RuntimeError, match=r"^\.keys required for signed cookies$"):
        cookies.get("a", signed=True)
    assert cookies.lines == []


def test_keys_and_secure_can_be_set_later() -> None:
    cookies = Jar()
    cookies.keys = KEYS
    cookies.secure = True
    cookies.set("a", "1")
    assert cookies.lines == [
        "a=1; path=/; secure; httponly",
        f"a.sig={SIGNED_BY_NEW}; path=/; secure; httponly",
    ]


def test_a_right_signature_lets_the_cookie_through() -> None:
    cookies = Jar(f"a=1; a.sig={SIGNED_BY_NEW}", keys=KEYS)
    assert cookies.get("a") == "1"
    assert cookies.lines == []


def test_the_signature_of_a_quoted_value_is_that_of_what_is_inside() -> None:
    assert Jar(f'a="1"; a.sig="{SIGNED_BY_NEW}"', keys=KEYS).get("a") == "1"


def test_a_missing_signature_hides_the_cookie() -> None:
    cookies = Jar("a=1", keys=KEYS)
    assert cookies.get("a") is None
    assert cookies.lines == []


@pytest.mark.parametrize(
    "header",
    [
        "a=1; a.sig=wrong",
        "a=1; a.sig=",
        f"a=2; a.sig={SIGNED_BY_NEW}",
        f"a=1; a.sig={Keygrip(['removed']).sign('a=1')}",
        f"a=1; a.sig={KEYS.sign('b=1')}",  # taken from another cookie
    ],
)
def test_a_wrong_signature_hides_the_cookie_and_is_deleted(header: str) -> None:
    cookies = Jar(header, keys=KEYS)
    assert cookies.get("a") is None
    assert cookies.lines == [f"a.sig=; path=/; {EPOCH}; httponly"]


def test_a_signature_by_an_older_key_is_replaced() -> None:
    cookies = Jar(f"a=1; a.sig={SIGNED_BY_OLD}", keys=KEYS)
    assert cookies.get("a") == "1"
    assert cookies.get("a") == "1"
    assert cookies.lines == [f"a.sig={SIGNED_BY_NEW}; path=/; httponly"]


def test_reading_the_old_cookie_does_not_undo_the_signature_of_the_new_one() -> None:
    cookies = Jar(f"a=1; a.sig={SIGNED_BY_OLD}", keys=KEYS)
    cookies.set("a", "2")
    before = cookies.lines
    assert cookies.get("a") == "1"
    assert cookies.lines == before


def test_signatures_can_be_left_unread() -> None:
    cookies = Jar("a=1; a.sig=wrong", keys=KEYS)
    assert cookies.get("a", signed=False) == "1"
    assert cookies.lines == []


def test_anything_that_signs_will_do_for_keys() -> None:
    class Rot13:
        def sign(self, data: str) -> str:
            return data[::-1].replace("=", "-")

        def index(self, data: str, digest: str) -> int:
            return 0 if digest == self.sign(data) else -1

    keys: Keys = Rot13()
    assert Jar("a=1; a.sig=1-a", keys=keys).get("a") == "1"


def test_cookies_of_a_secure_connection_are_secure() -> None:
    cookies = Jar(secure=True)
    cookies.set("a", "1").set("b", "2", secure=False)
    assert cookies.lines == ["a=1; path=/; secure; httponly", "b=2; path=/; httponly"]


def test_a_secure_cookie_on_an_open_connection_is_an_error_that_names_the_settings() -> None:
    cookies = Jar()
    with pytest.raises(RuntimeError, match=r"secure cookie .* app\.proxy, .*cookies\.secure"):
        cookies.set("a", "1", secure=True)
    assert cookies.lines == []


def test_cookies_add_up() -> None:
    cookies = Jar()
    cookies.response["Set-Cookie"] = "b=2"
    cookies.set("a", "1").set("a", "2", path="/p")
    assert cookies.lines == ["b=2", "a=1; path=/; httponly", "a=2; path=/p; httponly"]


def test_overwrite_takes_back_what_was_set_by_that_name() -> None:
    cookies = Jar(keys=KEYS)
    cookies.set("a", "0").set("ab", "1", signed=False).set("a", "1", overwrite=True)
    assert cookies.lines == [
        "ab=1; path=/; httponly",
        "a=1; path=/; httponly",
        f"a.sig={SIGNED_BY_NEW}; path=/; httponly",
    ]


def test_sticky_cookies_are_kept_for_an_error_too() -> None:
    sticky = Headers()
    cookies = Jar(keys=KEYS, sticky=sticky)
    cookies.set("a", "1", sticky=True).set("b", "2")
    assert sticky.get_all("Set-Cookie") == cookies.lines[:2]


def test_overwriting_a_sticky_cookie_ends_it() -> None:
    sticky = Headers()
    cookies = Jar(sticky=sticky)
    cookies.set("a", "1", sticky=True).set("a", "2", overwrite=True)
    assert "Set-Cookie" not in sticky
    assert cookies.lines == ["a=2; path=/; httponly"]


def test_sticky_without_a_place_to_keep_is_an_ordinary_cookie() -> None:
    cookies = Jar()
    cookies.set("a", "1", sticky=True)
    assert cookies.lines == ["a=1; path=/; httponly"]


def test_after_the_head_was_sent_nothing_is_set_and_the_warning_says_so() -> None:
    warnings: list[str] = []
    cookies = Jar("a=1; a.sig=wrong", keys=KEYS, warn_late=warnings.append)
    cookies.response.sent = True
    assert cookies.set("a", "1") is cookies
    assert cookies.delete("a") is cookies
    assert cookies.lines == []
    assert warnings == ["cookies.set()", "cookies.set()"]


def test_after_the_head_was_sent_a_wrong_signature_is_just_wrong() -> None:
    warnings: list[str] = []
    cookies = Jar("a=1; a.sig=wrong", keys=KEYS, warn_late=warnings.append)
    cookies.response.sent = True
    assert cookies.get("a") is None
    assert cookies.lines == []
    assert warnings == []


def test_without_a_listener_late_cookies_are_dropped_in_silence() -> None:
    cookies = Jar()
    cookies.response.sent = True
    cookies.set("a", "1")
    assert cookies.lines == []


@given(st.text("ab =,'\\\té%", min_size=1), st.integers(min_value=0), st.integers(0, 6))
def test_a_cookie_with_one_bit_flipped_is_refused(value: str, place: int, bit: int) -> None:
    written = Jar(keys=KEYS)
    written.set("a", value)
    header = "; ".join(line.partition("; path")[0] for line in written.lines)
    assert Jar(header, keys=KEYS).get("a") == value
    place %= len(header)
    flipped = header[:place] + chr(ord(header[place]) ^ 1 << bit) + header[place + 1 :]
    request = Headers.from_raw([(b"cookie", flipped.encode("latin-1"))])
    assert Cookies(request, Headers(), keys=KEYS).get("a") is None
