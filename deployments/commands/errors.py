"""What the commands raise when they cannot do what was asked: one line for a person, without a traceback."""


class CommandFailed(Exception):
    """The command could not do what was asked."""
