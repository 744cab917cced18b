"""The local terminal and the local descriptors."""
