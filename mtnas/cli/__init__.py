"""The command line: ``mtnas serve`` starts the service, the other commands talk to it.

``*_commands.py`` declare the commands with their options; what they do is in the modules beside, imported when called.
"""

from mtnas.cli import answer_commands, catalogue_commands, job_commands, token_commands
from mtnas.cli.app import main
from mtnas.cli.operations import commands as operation_commands

__all__ = ["answer_commands", "catalogue_commands", "job_commands", "main", "operation_commands", "token_commands"]
