"""Job files and the demonstration."""
