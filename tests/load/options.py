"""How long and how hard each phase works."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """`connections` of single POSTs are tried in turn; `batch` payments a request make up bulk."""

    seconds: float = 8.0
    connections: tuple[int, ...] = (128,)
    bulk_connections: int = 8
    batch: int = 500
    hot_seconds: float = 4.0
    hot_rounds: int = 2
    idle_count: int = 300
    pgbench_seconds: int = 8
