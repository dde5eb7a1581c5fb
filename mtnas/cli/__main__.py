"""``python -m mtnas.cli``: the same as ``mtnas``."""

from mtnas.cli import main

main()
