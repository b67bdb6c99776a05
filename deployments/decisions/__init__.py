"""What is a match and what may be enrolled; nothing here knows of HTTP or Ray."""
