"""Requests and WebSockets to an application, in memory, in the test's own loop."""
