"""One encoder behind threads of its own, without Ray."""
