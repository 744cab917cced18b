"""The library for code that blocks: a client whose event loop runs in its own thread."""
