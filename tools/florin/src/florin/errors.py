"""What the command line may say instead of a traceback."""


class StackError(Exception):
    """One clear line for a person: what is wrong and what to do about it."""
