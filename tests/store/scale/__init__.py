"""Search at scale: face-like galleries of up to a million faces, and what searching them costs."""
