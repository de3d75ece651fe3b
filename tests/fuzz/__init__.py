"""Whatever comes over the wire, whole or cut, clean or not: what must hold for all of it."""
