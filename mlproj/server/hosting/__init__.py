"""Keeps a server running for many: its sockets, its processes, and what each request passes on its way in."""
