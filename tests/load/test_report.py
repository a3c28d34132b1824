"""What a run says: targets met or not, and a document that others can rely on."""

import json
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from . import charts, report
from .pgbench import NoYardstick, tps_of
from .targets import TARGETS, verdicts

GOOD = {
    "pgbench_tps": 2000.0,
    "single_tps": 1000.0,
    "single_ratio": 0.5,
    "bulk_ratio": 1.5,
    "hot_payer_ratio": 0.95,
    "hot_payee_ratio": 0.89,
    "token_ratio": 0.9,
    "idle_p50_ms": 14.0,
    "idle_p99_ms": 60.0,
    "telemetry_cpu_ratio": 1.04,
    "growth_ratio": 1.1,
    "rss_mb": {"transaction": 120.0, "account-worker": 149.0, "rabbitmq": 400.0, "postgres": 600.0},
    "open_loop": {
        "30%": {name: {"p50": 5.0, "p99": 9.0, "p99_9": 12.0} for name in ("answer_ms", "settled_ms")}
    },
    "cpu_s_per_1000": {"transaction": 0.4, "load": 0.02},
}


def test_each_target_is_met_or_not() -> None:
    assert verdicts(GOOD) == {
        "single_ratio": True,
        "bulk_ratio": True,
        "hot_payer_ratio": True,
        "hot_payee_ratio": False,
        "token_ratio": True,
        "idle_p50_ms": True,
        "idle_p99_ms": False,
        "telemetry_cpu_ratio": True,
        "growth_ratio": True,
        "rss_mb": True,
    }


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert set(verdicts({}).values()) == {None}


def test_servers_are_not_held_to_the_services_memory() -> None:
    assert verdicts({"rss_mb": {"notification": 151.0}})["rss_mb"] is False
    assert verdicts({"rss_mb": {"notification": 100.0, "postgres": 900.0}})["rss_mb"] is True


def test_document_has_every_promised_key_and_can_be_read_back(tmp_path: Path) -> None:
    file = tmp_path / "build" / "bench.json"
    report.write(GOOD, file, seconds=300.04)
    document = json.loads(file.read_text())
    assert set(report.KEYS) <= set(document)
    assert document["single_tps"] == 1000.0
    assert document["bulk_tps"] is None
    assert document["met"]["hot_payee_ratio"] is False
    assert document["seconds"] == 300.0


def test_table_shows_each_target_beside_its_figure() -> None:
    text = StringIO()
    report.show(GOOD, Console(file=text, width=200))
    for target in TARGETS:
        assert target.what in text.getvalue()
    assert text.getvalue().count("not met") == 2


def test_report_of_nothing_can_be_shown() -> None:
    report.show({}, Console(file=StringIO(), width=200))


def test_charts_are_well_formed() -> None:
    drawn = charts.throughput([(0, 10), (1, 2000), (5, 700)], [("single <1>", 0, 2.5), ("bulk", 4, 6)])
    ElementTree.fromstring(drawn)
    named = {"idle": [float(n) for n in range(1, 300)], "empty": [], "one & only": [0.0]}
    ElementTree.fromstring(charts.latencies(named))
    ElementTree.fromstring(charts.throughput([], []))
    ElementTree.fromstring(charts.latencies({}))


def test_pgbench_rate_is_read_from_what_it_prints() -> None:
    assert (
        tps_of("number of failed transactions: 0\ntps = 2345.678901 (without initial connection time)\n")
        == 2345.678901
    )
    with pytest.raises(NoYardstick):
        tps_of("pgbench: error: connection failed")
