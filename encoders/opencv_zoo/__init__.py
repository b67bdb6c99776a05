"""Rewrites YuNet and SFace, of OpenCV's model zoo, into models that look like SCRFD and ArcFace."""
