"""Speaks MLflow's REST API as a client, to a tracking server that somebody keeps."""
