"""Comparers for what people write: each reads two contents as one notation, and says how they differ."""
