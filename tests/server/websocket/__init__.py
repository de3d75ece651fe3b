"""WebSockets on the wire, frame by frame, against a peer that may break every rule."""
