"""The embedded server behind `listen()`."""
