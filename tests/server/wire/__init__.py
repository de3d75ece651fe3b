"""The server on the wire: what bytes bring what answer, clause by clause of the RFCs."""
