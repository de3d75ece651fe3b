"""JSON bodies, by msgspec."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast

__all__ = ["decode_json", "encode_json"]

JsonDefault = Callable[[Any], Any]


@cache
def _encode() -> Callable[[object], bytes]:
    from msgspec.json import Encoder  # noqa: PLC0415 - see ohia.late

    return Encoder().encode


def encode_json(value: object, spaces: int | None, default: JsonDefault | None) -> bytes:
    """Return `value` as JSON in UTF-8, indented by `spaces`; 0 and None are compact.

    NaN and the infinities are null, as in JavaScript. `default` is called for what msgspec
    does not know; pydantic models dump themselves, mappings are dicts. TypeError for the rest.

    >>> encode_json({"a": [1, None]}, 0, None)
    b'{"a":[1,null]}'
    """
    try:
        data = _encode()(value)
    except TypeError:
        data = _encode_odd(value, default)
    return _indent(data, spaces) if spaces else data


def decode_json(data: bytes | str, type: Any = Any) -> Any:  # noqa: ANN401 - of that type
    """Return the value of a JSON text, checked and converted to `type`.

    It is what msgspec knows (a Struct, a dataclass, a TypedDict, containers of them), or a
    pydantic model; another class is NotImplementedError. msgspec.DecodeError for what does not
    fit.

    >>> decode_json(b'{"a":[1,null]}')
    {'a': [1, None]}
    """
    import msgspec  # noqa: PLC0415 - see ohia.late

    return msgspec.json.decode(data, type=type, dec_hook=_validate)


def _validate(type: Any, value: object) -> object:  # noqa: ANN401 - a class of the user's
    if hasattr(type, "model_validate"):
        return type.model_validate(value)
    raise NotImplementedError(
        "JSON is read as a type that msgspec knows (a Struct, a dataclass, a TypedDict ...) or a "
        f"pydantic model, not as {type!r}"
    )


def _encode_odd(value: object, default: JsonDefault | None) -> bytes:
    import msgspec  # noqa: PLC0415 - see ohia.late

    return msgspec.json.encode(value, enc_hook=lambda each: _dump(each, default))


def _indent(data: bytes, spaces: int) -> bytes:
    import msgspec  # noqa: PLC0415 - see ohia.late

    return msgspec.json.format(data, indent=spaces)


def _dump(value: Any, default: JsonDefault | None) -> object:  # noqa: ANN401 - anything at all
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):  # a query, a form, headers: of each name what [name] gives
        return dict(cast("Mapping[object, object]", value))
    if default is not None:
        return default(value)
    raise TypeError(f"cannot be sent as JSON: {type(value).__name__}")
