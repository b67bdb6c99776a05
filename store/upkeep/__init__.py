"""Work in the background: indexes and purging."""
