"""What the service answers. Names and fields are those of its OpenAPI document; a field of a newer service is kept."""
