"""Content negotiation: what the client would like best (RFC 9110, 12.4 and 12.5).

Each of the four fields is a list of names with weights from 0 to 1. Without offers the client's
names are returned, those it likes best first; a weight of 0 leaves a name out. With offers the
best of them is: an offer takes its weight from the most specific name that covers it; between
equal weights the more specific name counts, then its place in the field, then the order of the
offers.

A weight that is no number is as good as 0. What else is malformed is skipped, and so is what comes
after the first thousand elements.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from math import nan
from typing import NamedTuple

from ohia.http.media_type import lookup

__all__ = [
    "best_charset",
    "best_encoding",
    "best_language",
    "best_media_type",
    "charsets",
    "encodings",
    "languages",
    "media_types",
    "preferred_encoding",
]

MAX_ELEMENTS = 1000  # browsers send a dozen; this bounds what a hostile field costs
OWS = " \t"  # RFC 9110, 5.6.3
NUMBER = re.compile(r"[ \t]*+([+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)")


class Element(NamedTuple):
    """One element of a field: a name as it was written, its weight, its place in the field.

    Media ranges may have other parameters besides, names and values in lower case.
    """

    name: str
    weight: float
    place: int
    parameters: dict[str, str] | None = None


def media_types(header: str | None) -> list[str]:
    """Return the types of Accept, the client's favourite first; `*/*` without the field.

    >>> media_types("text/html;q=0.5, application/json, image/*;q=0")
    ['application/json', 'text/html']
    """
    return _by_weight(_media_ranges("*/*" if header is None else header))


def best_media_type(header: str | None, offers: Sequence[str]) -> str | None:
    """Return the offer that Accept likes best, as it was given, or None.

    An offer is a media type or an extension. What parameters a type in Accept has (`level=1`),
    an offer must have too. Without the field, or with an empty one, the first offer is best.

    >>> best_media_type("text/*;q=0.5, application/json", ["html", "json"])
    'json'
    """
    if not header:
        return next(iter(offers), None)
    plain: list[Element] = []
    precise: dict[str, list[Element]] = {}
    for element in _media_ranges(header):
        if element.parameters:
            precise.setdefault(element.name.lower(), []).append(element)
        else:
            plain.append(element)
    strongest = _strongest(plain, _name)
    return _best(offers, lambda offer: _ranges_for(offer, strongest, precise))


def encodings(header: str | None) -> list[str]:
    """Return the codings of Accept-Encoding, the client's favourite first.

    `identity`, which is no coding at all, is the last unless the field speaks of it (RFC 9110,
    12.5.3).

    >>> encodings("gzip;q=0.8, br"), encodings("gzip, identity;q=0"), encodings(None)
    (['br', 'gzip', 'identity'], ['gzip'], ['identity'])
    """
    return _by_weight(_codings(header or ""))


def best_encoding(header: str | None, offers: Sequence[str]) -> str | None:
    """Return the offer that Accept-Encoding likes best, or None.

    >>> best_encoding("gzip;q=0.8, br", ["gzip", "br"]), best_encoding(None, ["gzip", "identity"])
    ('br', 'identity')
    """
    return _best_name(offers, _codings(header or ""))


def preferred_encoding(header: str | None, offers: Sequence[str]) -> str | None:
    """Return the offer of most weight in Accept-Encoding, or None.

    Among equals those that the field names come before those that only `*` covers, then the first
    offer: the server's liking counts where the client has none. Offer `identity` last.

    >>> preferred_encoding("gzip, br", ["br", "gzip", "identity"])
    'br'
    >>> preferred_encoding("gzip, br;q=0.9", ["br", "gzip", "identity"])
    'gzip'
    """
    strongest = _strongest(_codings(header or ""), _name)
    ranked: list[tuple[float, bool, int]] = []
    for place, offer in enumerate(offers):
        element = strongest.get(offer) or strongest.get("*")
        if element is not None and element.weight > 0:
            ranked.append((-element.weight, offer not in strongest, place))
    return offers[min(ranked)[2]] if ranked else None


def charsets(header: str | None) -> list[str]:
    """Return the charsets of Accept-Charset, the client's favourite first.

    >>> charsets("utf-8, iso-8859-1;q=0.2, utf-7;q=0.5"), charsets(None)
    (['utf-8', 'utf-7', 'iso-8859-1'], ['*'])
    """
    return _by_weight(_elements("*" if header is None else header))


def best_charset(header: str | None, offers: Sequence[str]) -> str | None:
    """Return the offer that Accept-Charset likes best, or None.

    >>> best_charset("utf-8, iso-8859-1;q=0.2", ["iso-8859-1", "UTF-8"])
    'UTF-8'
    """
    return _best_name(offers, _elements("*" if header is None else header))


def languages(header: str | None) -> list[str]:
    """Return the languages of Accept-Language, the client's favourite first.

    >>> languages("en;q=0.8, es, pt"), languages(None)
    (['es', 'pt', 'en'], ['*'])
    """
    return _by_weight(_language_ranges("*" if header is None else header))


def best_language(header: str | None, offers: Sequence[str]) -> str | None:
    """Return the offer that Accept-Language likes best, or None.

    A language covers its variants, a variant the language as such: `en` fits `en-GB`, and
    `en-GB` fits `en`.

    >>> best_language("pt;q=0.5, en", ["pt", "en-GB"]), best_language("en-US", ["de", "en"])
    ('en-GB', 'en')
    """
    ranges = list(_language_ranges("*" if header is None else header))
    by_tag = _strongest(ranges, _name)
    by_language = _strongest(ranges, lambda each: _primary(_name(each)))

    def ranges_for(offer: str) -> Iterator[Element | None]:
        tag = offer.partition(";")[0].strip(OWS).lower()
        if _is_language(tag):
            yield from (by_tag.get(tag), by_language.get(tag), by_tag.get(_primary(tag)))
            yield by_tag.get("*")

    return _best(offers, ranges_for)


def _elements(header: str) -> Iterator[Element]:
    """Yield the elements of a field of names with weights."""
    for place, part in enumerate(header.split(",", MAX_ELEMENTS)[:MAX_ELEMENTS]):
        name, _, parameters = part.partition(";")
        name = name.strip(OWS)
        if name and not _has_blank(name):
            yield Element(name, _weight(parameters) if parameters else 1.0, place)


def _weight(parameters: str) -> float:
    for each in parameters.split(";"):
        key, _, value = each.strip(OWS).partition("=")
        if key in ("q", "Q"):
            return _number(value)
    return 1.0


def _number(text: str) -> float:
    """Return the number that `text` begins with, or not-a-number."""
    match = NUMBER.match(text)
    return float(match[1]) if match else nan


def _has_blank(name: str) -> bool:
    return " " in name or "\t" in name


def _codings(header: str) -> Iterator[Element]:
    """Yield the elements of Accept-Encoding, and `identity` last unless it is spoken of."""
    least = 1.0
    place = -1
    is_spoken_of = False
    for element in _elements(header):
        yield element
        place = element.place
        is_spoken_of = is_spoken_of or element.name.lower() in ("identity", "*")
        if element.weight < least and element.weight != 0:
            least = element.weight
    if not is_spoken_of:
        yield Element("identity", least, place + 1)


def _language_ranges(header: str) -> Iterator[Element]:
    return (element for element in _elements(header) if _is_language(element.name))


def _is_language(tag: str) -> bool:
    language, hyphen, variant = tag.partition("-")
    return bool(language) and bool(variant or not hyphen) and not _has_blank(tag)


def _primary(tag: str) -> str:
    return tag.partition("-")[0]


def _media_ranges(header: str) -> Iterator[Element]:
    for place, part in enumerate(_split_outside_quotes(header, ",")):
        element = _media_range(part, place)
        if element is not None:
            yield element


def _media_range(text: str, place: int = 0) -> Element | None:
    name, _, parameters = text.strip(OWS).partition(";")
    name = name.rstrip(OWS)
    kind, _, subtype = name.partition("/")
    if not kind or not subtype or _has_blank(name):
        return None
    if not parameters:
        return Element(name, 1.0, place)
    return Element(name, *_weight_and_parameters(parameters, place))


def _weight_and_parameters(text: str, place: int) -> tuple[float, int, dict[str, str]]:
    """Return the weight, `place`, and the parameters before the weight."""
    found: dict[str, str] = {}
    for each in _split_outside_quotes(text, ";"):
        key, _, value = each.strip(OWS).partition("=")
        if value.startswith('"') and value.endswith('"'):
            value = value[1:-1]
        if key in ("q", "Q"):
            return _number(value), place, found
        found[key.lower()] = value.lower()
    return 1.0, place, found


def _split_outside_quotes(text: str, separator: str) -> list[str]:
    """Split `text` where no quote is open. A backslash means nothing here."""
    parts = text.split(separator, MAX_ELEMENTS)[:MAX_ELEMENTS]
    if '"' not in text:
        return parts
    whole: list[str] = []
    begun: list[str] = []
    for part in parts:
        begun.append(part)
        closes = part.count('"') % 2 == (1 if len(begun) > 1 else 0)
        if closes:
            whole.append(separator.join(begun))
            begun = []
    return [*whole, separator.join(begun)] if begun else whole


def _ranges_for(
    offer: str, plain: dict[str, Element], precise: dict[str, list[Element]]
) -> Iterator[Element | None]:
    """Yield what covers `offer`, the most specific first."""
    media_type = _offered(offer)
    if media_type is None:
        return
    name = _name(media_type)
    kind, _, subtype = name.partition("/")
    for covering in (name, f"{kind}/*", f"*/{subtype}", "*/*"):
        fitting = [each for each in precise.get(covering, ()) if _fits(each, media_type)]
        yield _strongest(fitting, _name).get(covering)
        yield plain.get(covering)


@lru_cache(maxsize=256)
def _offered(offer: str) -> Element | None:
    return _media_range(offer if "/" in offer else lookup(offer) or "")


def _fits(wanted: Element, offered: Element) -> bool:
    """Say whether `offered` has the parameters of `wanted`, where `*` is any value."""
    has = offered.parameters or {}
    wants = wanted.parameters or {}
    return all(value in ("*", has.get(name, "")) for name, value in wants.items())


def _name(element: Element) -> str:
    return element.name.lower()


def _strongest(elements: Iterable[Element], key: Callable[[Element], str]) -> dict[str, Element]:
    """Return for each key the element of most weight, of equal ones the last."""
    strongest: dict[str, Element] = {}
    for element in elements:
        name = key(element)
        known = strongest.get(name)
        if known is None or not element.weight < known.weight:
            strongest[name] = element
    return strongest


def _by_weight(elements: Iterable[Element]) -> list[str]:
    wanted = [element for element in elements if element.weight > 0]
    return [element.name for element in sorted(wanted, key=lambda each: -each.weight)]


def _best_name(offers: Sequence[str], elements: Iterable[Element]) -> str | None:
    strongest = _strongest(elements, _name)
    return _best(offers, lambda offer: (strongest.get(offer.lower()), strongest.get("*")))


def _best(
    offers: Sequence[str], elements_for: Callable[[str], Iterable[Element | None]]
) -> str | None:
    """Return the offer of the best rank, the first of them among equals.

    `elements_for` gives what covers an offer, the most specific first; None fills a gap.
    """
    ranked = ((_rank(elements_for(offer)), offer) for offer in offers)
    accepted = [(rank, offer) for rank, offer in ranked if rank is not None]
    return min(accepted, key=lambda each: each[0])[1] if accepted else None


def _rank(covering: Iterable[Element | None]) -> tuple[float, int, int] | None:
    """Return what offers are compared by, the least is the best; None if it is not accepted."""
    for generality, element in enumerate(covering):
        if element is not None:
            return (-element.weight, generality, element.place) if element.weight > 0 else None
    return None
