"""Text from outside, made fit for a Postgres text column."""


def storable(untrusted: str, *, limit: int = 500) -> str:
    """Cut to `limit` characters and escape NUL and lone surrogates, which Postgres text cannot hold."""
    return untrusted[:limit].replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
