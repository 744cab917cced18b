"""Bytes to and from an engine: dialers, wires, HTTP, hijacked streams."""
