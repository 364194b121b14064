"""Tracking and model registry over the tables of a store, for the server to speak to."""
