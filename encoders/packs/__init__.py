"""Model packs: which exist, what is on disk, whether it is sound."""
