"""Files and trees, in and out of containers."""
