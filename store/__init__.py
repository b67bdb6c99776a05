"""Remembers faces and finds them again, in PostgreSQL with pgvector."""
