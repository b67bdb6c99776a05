"""Our own HTTP contract over the gallery; nothing here knows of Ray."""
