"""A store over HTTP: runs are at a server, and what is in hand of them lies in the user's cache folder."""
