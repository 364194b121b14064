"""Build: a specification becomes a lock, and a lock an environment that is there whole or not at all."""
