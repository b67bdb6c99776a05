"""Settings of the service: typed, frozen, unknown keys fail."""
