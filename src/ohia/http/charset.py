"""Charsets of texts that clients send: which ones are read, and by which of Python's codecs."""

import codecs
import re

__all__ = ["text_codec"]

# Encodings that clients send text in. Python knows more, some of them slow on hostile input
# (punycode) and some no encodings of text at all (zip).
TEXT_ENCODINGS = re.compile(
    r"utf-?(?:8|16|32)(?:[-_]?[lb]e)?|(?:us-?)?ascii|latin-?1|iso-?8859-?\d{1,2}|iso_8859-\d{1,2}"
    r"|windows-?\d{3,4}|cp\d{3,4}|koi8-[ru]|big5|gb2312|gbk|gb18030|shift[-_]jis|euc-(?:jp|kr)",
    re.IGNORECASE,
)


def text_codec(charset: str) -> str | None:
    """Return Python's name for `charset`; None for one that is unknown, or no text.

    >>> text_codec("UTF-8"), text_codec("windows-1252"), text_codec("punycode")
    ('utf-8', 'cp1252', None)
    """
    if not TEXT_ENCODINGS.fullmatch(charset):
        return None
    try:
        return codecs.lookup(charset).name
    except LookupError:
        return None
