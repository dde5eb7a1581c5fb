"""mtnas: neural architecture search for multi-task sharing routes. Import the part you need; nothing heavy loads here."""

__version__ = "0.1.0"
