"""Whether bodies of a media type get smaller by compression."""

__all__ = ["compressible"]

SUFFIXES = ("+json", "+text", "+xml")

# What mime-db says of types that are no text; without those that hold arbitrary bytes
# (application/octet-stream, tar, images of machines), which are often compressed already.
NO_TEXT = frozenset(
    {
        "application/dart",
        "application/ecmascript",
        "application/graphql",
        "application/javascript",
        "application/json",
        "application/json-seq",
        "application/jsonl",
        "application/ndjson",
        "application/postscript",
        "application/raml+yaml",
        "application/rtf",
        "application/toml",
        "application/vnd.dart",
        "application/vnd.ms-fontobject",
        "application/vnd.ms-opentype",
        "application/wasm",
        "application/x-httpd-php",
        "application/x-javascript",
        "application/x-ndjson",
        "application/x-ns-proxy-autoconfig",
        "application/x-sh",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/xml-dtd",
        "application/yaml",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/vnd.adobe.photoshop",
        "image/vnd.microsoft.icon",
        "image/vnd.ms-dds",
        "image/x-icon",
        "image/x-ms-bmp",
        "message/rfc822",
        "model/gltf-binary",
        "x-shader/x-fragment",
        "x-shader/x-vertex",
    }
)


def compressible(type: str) -> bool:
    """Say whether a body of media `type`, without parameters, is worth compressing.

    >>> compressible("text/html"), compressible("image/svg+xml"), compressible("image/png")
    (True, True, False)
    """
    name = type.lower()
    return name.startswith("text/") or name.endswith(SUFFIXES) or name in NO_TEXT
