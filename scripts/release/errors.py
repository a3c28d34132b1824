"""Why a release does not go on."""


class ReleaseError(Exception):
    """One line for a person: what is wrong and what to do about it."""
