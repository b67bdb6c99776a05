"""From the bytes of a photo to the faces in it."""
