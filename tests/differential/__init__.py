"""The same inputs to the real npm packages and to ohia, and what comes out compared."""
