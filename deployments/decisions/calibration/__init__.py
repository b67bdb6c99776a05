"""What a similarity means in one gallery: how often a stranger scores as high, with an interval."""
