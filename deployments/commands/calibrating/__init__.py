"""`faceserve calibrate`: what a score means in a collection, as a table, a page and a picture."""
