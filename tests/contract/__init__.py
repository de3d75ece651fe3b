"""The same requests to the same application over every server: what holds, and what differs."""
