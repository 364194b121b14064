"""Sees which files a run opens, and tells those that are data nobody declared."""
