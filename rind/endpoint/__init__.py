"""Where the engine is: addresses, docker's configuration, well-known sockets."""
