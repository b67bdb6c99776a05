"""Finding the nearest persons."""
