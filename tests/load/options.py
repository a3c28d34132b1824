"""How long and how hard each phase works."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """`connections` of single POSTs are tried in turn for `probe_s` each, the best then for `seconds`;
    `batch` payments a request make up bulk, by number and not by time, as they come in much faster than they
    are settled; `backlog_share` of the single-POST rate is what comes in while
    the workers are stopped; `stored` payments are what growth is measured up to."""

    seconds: float = 7.0
    probe_s: float = 3.0
    connections: tuple[int, ...] = (128, 256)
    bulk_connections: int = 8
    batch: int = 500
    bulk_payments: int = 25_000
    hot_payments: int = 8_000
    hot_rounds: int = 2
    token_seconds: float = 4.0
    token_rounds: int = 5
    open_seconds: float = 5.0
    open_shares: tuple[float, ...] = (0.3, 0.7)
    idle_count: int = 250
    pgbench_seconds: int = 8
    statement_seconds: float = 2.0
    telemetry_rounds: int = 3
    telemetry_seconds: float = 4.0
    backlog_seconds: float = 60.0
    backlog_share: float = 0.3
    stored: int = 1_000_000
    verify_grown: bool = False
