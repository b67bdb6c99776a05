"""The int8 twin of a pack, and the proof that it stays true to it."""
