"""The Docker Engine API: requests, answers, endpoints and the hijacked stream."""
