"""The command line: ``mtnas serve`` starts the service, the other commands talk to it."""

from mtnas.cli.app import main

__all__ = ["main"]
