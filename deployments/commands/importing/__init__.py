"""`faceserve import`: photos of many people into a collection; can be killed and repeated at any point."""
