"""Tokens, principals, and the check of every route."""
