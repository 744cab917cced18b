"""Finds the engine: addresses, docker's configuration, well-known sockets."""
