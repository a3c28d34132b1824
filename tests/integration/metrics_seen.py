"""What services say at /metrics, read as Prometheus reads it."""

import httpx2
from florin.ports import HOST
from prometheus_client.parser import text_string_to_metric_families
from testkit.stacks import RunningServices

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def metrics_of(running: RunningServices, service: str) -> Series:
    """Every sample of one service, by its name and labels."""
    url = f"http://{HOST}:{running.surroundings.ports.internal(service)}/metrics"
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.get(url, timeout=10)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(series: Series, name: str, **labels: str) -> float:
    """One sample's value; 0 for one that is not there yet."""
    return series.get((name, frozenset(labels.items())), 0.0)
