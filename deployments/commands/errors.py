"""The error of a command that cannot do what was asked. A person sees one line, without a traceback."""


class CommandFailed(Exception):
    """The command could not do what was asked."""
