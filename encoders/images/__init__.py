"""Decoding photos within limits."""
