"""Connections to an engine: dialers, wires, HTTP, hijacked streams."""
