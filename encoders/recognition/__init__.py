"""From the landmarks of a face to its crop, quality and embedding."""
