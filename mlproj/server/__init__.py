"""Entrance for MLflow clients: the wire format to and from the nouns, and no more."""
