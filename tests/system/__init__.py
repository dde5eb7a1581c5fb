"""Real processes: the service as a user starts it."""
