"""Fetch: a folder, a git URI or a zip file becomes a working tree at one revision."""
