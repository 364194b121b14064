"""Observe: git state, source snapshot, data digests, host and variables, as they are before the run."""
