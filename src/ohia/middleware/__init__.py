"""Bundled middleware: each from the module of its name; this package exports nothing."""
