"""What each figure is held to, and whether it was met."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from florin.services import SERVICES

SERVICE_MB = 150.0


@dataclass(frozen=True)
class Target:
    """One figure with its bound; `least` when more is better."""

    what: str
    key: str
    bound: float
    least: bool
    unit: str = ""
    figure_of: Callable[[Mapping[str, Any]], float | None] | None = None

    def figure(self, results: Mapping[str, Any]) -> float | None:
        """What was measured, None if it was not."""
        return self.figure_of(results) if self.figure_of else results.get(self.key)

    def met(self, results: Mapping[str, Any]) -> bool | None:
        """None when it was not measured."""
        figure = self.figure(results)
        if figure is None:
            return None
        return figure >= self.bound if self.least else figure <= self.bound

    @property
    def wanted(self) -> str:
        """The bound, in words."""
        return f"{'≥' if self.least else '≤'} {self.bound:g}{self.unit}"


def largest_service_mb(results: Mapping[str, Any]) -> float | None:
    """The peak memory of the service process that took most."""
    held = [mb for part, mb in results.get("rss_mb", {}).items() if part.partition("-")[0] in SERVICES]
    return max(held, default=None)


TARGETS: Sequence[Target] = (
    Target("single POSTs settled, to pgbench", "single_ratio", 0.5, least=True),
    Target("bulk settled, to pgbench", "bulk_ratio", 1.4, least=True),
    Target("one hot payer, to uniform (both in bulk)", "hot_payer_ratio", 0.9, least=True),
    Target("one hot payee, to uniform (both in bulk)", "hot_payee_ratio", 0.9, least=True),
    Target("single POSTs by access token, to those by API key", "token_ratio", 0.9, least=True),
    Target("idle, POST to SETTLED as the client sees it, median", "idle_p50_ms", 20, least=False, unit=" ms"),
    Target("the same, p99", "idle_p99_ms", 50, least=False, unit=" ms"),
    Target("CPU a payment, with telemetry to without", "telemetry_cpu_ratio", 1.1, least=False),
    Target("CPU a payment, at most stored to few stored", "growth_ratio", 1.15, least=False),
    Target(
        *("peak memory of the largest service process", "rss_mb", SERVICE_MB),
        least=False,
        unit=" MB",
        figure_of=largest_service_mb,
    ),
)


def verdicts(results: Mapping[str, Any]) -> dict[str, bool | None]:
    """Whether each target was met, by its key."""
    return {target.key: target.met(results) for target in TARGETS}
