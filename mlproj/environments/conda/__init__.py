"""Conda environments with no conda installed: rattler solves and links, uv installs the `pip:` list."""
