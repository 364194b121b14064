"""Stores whose database is a server: PostgreSQL, MySQL or MariaDB."""
