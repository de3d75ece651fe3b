import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.keygrip import Keygrip, Keys

TURTLE = ["im a newer secret", "i like turtle"]


@pytest.mark.parametrize(
    ("keys", "algorithm", "encoding", "message", "signature"),
    [  # made by npm's keygrip
        (["a", "b"], "sha1", "base64", "name=jon", "FbCmGlw6Fv7VhZ3y8DO7x-Zdjgo"),
        (TURTLE, "sha1", "base64", "name=tobi", "GNmvkvu_tcLeHVbsPrHTWtswEUA"),
        (TURTLE, "sha1", "base64", "name=", "XvzWghmYnkXHfs4A6_PMkcYA0Cc"),
        (TURTLE, "sha1", "base64", "name=é", "5Pbi2vpcwfrJwRCeqvEv7K5Zows"),
        (TURTLE, "sha1", "base64url", "name=tobi", "GNmvkvu_tcLeHVbsPrHTWtswEUA"),
        (
            TURTLE,
            "sha256",
            "base64",
            "name=tobi",
            "k7B9p062gbG5Dq92p7wi1t-wmn46UO4MKXBu3267dkw",
        ),
        (
            ["k"],
            "sha512",
            "base64",
            "a=b",
            "4-DYNCM4xCrBNco5XYo1sOGx9BVMRHUByCi9CnqCk2MgkvmcUTmAcXtuV-FPhbynMvrMhmDAdt9tmmUWrtRiig",
        ),
        (
            ["k"],
            "sha256",
            "hex",
            "a=b",
            "9055a9e8bdf0e7d125445fcaee1c8922a856d6c0d6a6c33f0c71a6fac8b557d0",
        ),
        (
            ["some secret hurr"],
            "sha1",
            "base64",
            "koa.sess=eyJ2aWV3cyI6MSwiX2V4cGlyZSI6MTcwMDAwMDAwMDAwMCwiX21heEFnZSI6ODY0MDAwMDB9",
            "5vGc_986vYdl4xQhQIkD_G01Bos",
        ),
    ],
)
def test_signatures_are_those_of_npm_keygrip(
    keys: list[str], algorithm: str, encoding: str, message: str, signature: str
) -> None:
    keygrip = Keygrip(keys, algorithm, encoding)
    assert keygrip.sign(message) == signature
    assert keygrip.verify(message, signature)


def test_the_index_tells_which_key_signed() -> None:
    keys = Keygrip(TURTLE)
    assert keys.index("name=tobi", "GNmvkvu_tcLeHVbsPrHTWtswEUA") == 0
    assert keys.index("name=tobi", "2UAJptsb7YOvyQrZ2Zr74amqrN4") == 1
    assert keys.index("name=tobi", Keygrip(["another"]).sign("name=tobi")) == -1


def test_bytes_and_text_are_the_same_key_and_the_same_message() -> None:
    assert Keygrip([b"k\xc3\xa9"]).sign("é") == Keygrip(["ké"]).sign("é".encode())


def test_keys_are_taken_at_once() -> None:
    keys = ["old"]
    keygrip = Keygrip(keys)
    signature = keygrip.sign("a=b")
    keys[0] = "new"
    assert keygrip.sign("a=b") == signature


def test_a_keygrip_is_what_cookies_ask_for() -> None:
    keys: Keys = Keygrip(["k"])
    assert keys.index("a", keys.sign("a")) == 0


@pytest.mark.parametrize("keys", [[], (), [""], ["a", ""], [b""]])
def test_no_keys_and_empty_keys_are_refused(keys: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^Keys must be provided\."):
        Keygrip(keys)


@pytest.mark.parametrize("keys", ["tiger", b"tiger", [7], [None]])
def test_what_is_no_list_of_text_is_refused_and_not_shown(keys: list[str]) -> None:
    with pytest.raises(TypeError, match=r"^(?!.*tiger).*(list of str|must be str)"):
        Keygrip(keys)


@pytest.mark.parametrize(("algorithm", "encoding"), [("sha0", "base64"), ("sha1", "base32")])
def test_unknown_algorithms_and_encodings_are_refused_at_once(
    algorithm: str, encoding: str
) -> None:
    with pytest.raises(ValueError, match=r"sha0|base32"):
        Keygrip(["k"], algorithm, encoding)


def test_keys_are_never_shown() -> None:
    keygrip = Keygrip(["tiger", "lion"])
    assert repr(keygrip) == str(keygrip) == "<Keygrip sha1, 2 keys>"


@pytest.mark.parametrize("digest", ["", "é", "\ud800", "x" * 100_000, "GNmvkvu_tcLeHVbsPrHTWtswEU"])
def test_a_digest_of_any_length_and_alphabet_is_only_wrong(digest: str) -> None:
    assert not Keygrip(TURTLE).verify("name=tobi", digest)


@given(st.text(), st.integers(0, 26), st.integers(0, 7))
def test_a_signature_with_one_bit_flipped_is_refused(text: str, place: int, bit: int) -> None:
    keygrip = Keygrip(["a", "b"])
    signature = keygrip.sign(text)
    flipped = signature[:place] + chr(ord(signature[place]) ^ 1 << bit) + signature[place + 1 :]
    assert keygrip.verify(text, signature)
    assert not keygrip.verify(text, flipped)


@given(st.binary(min_size=1), st.integers(0, 7), st.data())
def test_a_message_with_one_bit_flipped_is_refused(
    message: bytes, bit: int, data: st.DataObject
) -> None:
    keygrip = Keygrip(["a", "b"])
    place = data.draw(st.integers(0, len(message) - 1))
    flipped = bytearray(message)
    flipped[place] ^= 1 << bit
    assert not keygrip.verify(bytes(flipped), keygrip.sign(message))
