"""Koa for Python: one onion of middleware for requests, streams and WebSockets."""
