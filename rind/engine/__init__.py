"""The Docker Engine API: requests, answers, differences between engines."""
