"""mtnas: neural architecture search for multi-task sharing routes. Import the part you need; nothing heavy loads."""

__version__ = "0.1.0"
