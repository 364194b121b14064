"""Read what MLflow kept: behind a server, in a database, or in a folder of its own."""
