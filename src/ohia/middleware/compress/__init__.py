"""Response bodies in zstd, brotli or gzip, by what the client accepts."""

from ohia.middleware.compress.factory import compress

__all__ = ["compress"]
