"""Bodies that come in, and options in forms and queries."""
