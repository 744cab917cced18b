"""The library for code that blocks: a client whose event loop is in a thread of its own."""
