"""The grammar of HTTP as pure functions: text in, values out, no I/O."""
