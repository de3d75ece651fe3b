"""Forms with files, written as browsers write them (RFC 7578; HTML, 4.10.21.8)."""

from collections.abc import Iterator, Mapping, Sequence
from secrets import token_hex
from typing import Any, cast

__all__ = ["File", "Files", "render_multipart"]

File = bytes | str | tuple[str, bytes | str] | tuple[str, bytes | str, str]
"""What a file holds; with its name, "file" without; with its media type, any without."""

Files = Mapping[str, File | Sequence[File]]
"""Files by the names of their fields; a list of them repeats the name."""

ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})
ANY_TYPE = "application/octet-stream"


def render_multipart(fields: Sequence[tuple[str, Any]], files: Files) -> tuple[str, bytes]:
    """Return Content-Type and content of a form: its fields, then its files."""
    boundary = token_hex(16)
    parts = [_part(name, str(value), {}) for name, value in fields]
    parts += [_file_part(name, file) for name, held in files.items() for file in _each(held)]
    lines = [b"--%b\r\n%b\r\n" % (boundary.encode(), part) for part in parts]
    content = b"%b--%b--\r\n" % (b"".join(lines), boundary.encode())
    return f"multipart/form-data; boundary={boundary}", content


def _each(held: File | Sequence[File]) -> Iterator[File]:
    if isinstance(held, (bytes, str, tuple)):
        yield cast("File", held)  # a tuple is one file, a list holds several
    else:
        yield from held


def _file_part(name: str, file: File) -> bytes:
    if isinstance(file, (bytes, str)):
        file = ("file", file)
    filename, content, *media_type = file
    return _part(name, content, {"filename": filename}, *(media_type or [ANY_TYPE]))


def _part(
    name: str, content: bytes | str, parameters: Mapping[str, str], media_type: str = ""
) -> bytes:
    named = {"name": name, **parameters}
    told = "".join(f'; {key}="{value.translate(ESCAPES)}"' for key, value in named.items())
    head = f"Content-Disposition: form-data{told}\r\n"
    if media_type:
        head += f"Content-Type: {media_type}\r\n"
    data = content.encode() if isinstance(content, str) else content
    return head.encode() + b"\r\n" + data
