"""Finding the container that a command runs in."""
