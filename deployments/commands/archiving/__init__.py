"""`faceserve export` and `faceserve restore`: a collection as one file."""
