"""Connections, their pool, and the version of the schema."""
