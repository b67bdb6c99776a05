"""Exact best scores of sampled persons over everybody else, a chunk of faces at a time."""
