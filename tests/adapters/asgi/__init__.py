"""The ASGI adapter, driven by hand-written scopes and the messages that servers really send."""
