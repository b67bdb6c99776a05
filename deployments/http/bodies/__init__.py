"""Request bodies within limits: multipart, raw images, JSON."""
