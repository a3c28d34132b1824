"""What each dashboard shows."""

from florin.dashboards.grafana import Board, Curve, Panel
from florin.services import PROCESSES

_RATE = "$__rate_interval"


def _rate(selector: str, by: str = "") -> str:
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate({selector}[{_RATE}]))"


def _quantiles(metric: str, matching: str = "", *, by: str = "") -> list[Curve]:
    grouped = f"le, {by}" if by else "le"
    legend = f"{{{{{by}}}}} " if by else ""
    return [
        Curve(
            f"histogram_quantile({share}, {_rate(f'{metric}_bucket{matching}', grouped)})",
            f"{legend}p{round(share * 100)}",
        )
        for share in (0.5, 0.99)
    ]


def _stat(title: str, expr: str, unit: str = "short", **more: str) -> Panel:
    return Panel(title, [Curve(expr)], unit, "stat", width=4, help=more.get("help", ""))


_MOVES = "florin_payment_moves_total"

OVERVIEW = Board(
    "florin-overview",
    "overview",
    [
        _stat("Accepted", _rate("florin_payments_accepted_total"), "reqps"),
        _stat("Settled", _rate(_MOVES + '{status="SETTLED"}'), "reqps"),
        _stat("Rejected", _rate(_MOVES + '{status="REJECTED"}'), "reqps"),
        _stat("Pending now", "max(florin_payments_pending)"),
        _stat("In review now", "max(florin_fraud_open_reviews)"),
        _stat("Broken invariants", "sum(florin_invariant_broken)", help="Anything but 0 is an emergency."),
        Panel(
            "The funnel: from accepted to its end",
            [
                Curve(_rate("florin_payments_accepted_total"), "accepted"),
                Curve(_rate("florin_fraud_decisions_total"), "screened"),
                Curve(_rate("florin_postings_total"), "answered by the ledger"),
                Curve(_rate(_MOVES + '{status="SETTLED"}'), "settled"),
                Curve(_rate("florin_webhook_attempts_total"), "webhook attempts"),
            ],
            "reqps",
            width=16,
        ),
        Panel("States reached", [Curve(_rate(_MOVES, "status"), "{{status}}")], "reqps"),
        Panel(
            "Acceptance to SETTLED, without review or hold",
            _quantiles("florin_payment_settle_seconds", '{way="direct"}'),
            "s",
        ),
        Panel(
            "POST /v1/payments",
            _quantiles(
                "florin_http_request_duration_seconds",
                '{service="transaction",method="POST",route="/v1/payments"}',
            ),
            "s",
        ),
        Panel("Event to first webhook", _quantiles("florin_webhook_first_attempt_delay_seconds"), "s"),
        Panel(
            "Rejected, by the rule that refused",
            [Curve(_rate(_MOVES + '{status="REJECTED"}', "reason"), "{{reason}}")],
            "reqps",
        ),
        Panel(
            "Amounts, minor units a second",
            [Curve(_rate("florin_payments_amount_minor_total", "stage, currency"), "{{stage}} {{currency}}")],
            width=16,
        ),
    ],
)

MESSAGING = Board(
    "florin-messaging",
    "messaging",
    [
        Panel("Outbox: unsent", [Curve("max by (app) (florin_outbox_pending)", "{{app}}")]),
        Panel(
            "Outbox: age of the oldest", [Curve("max by (app) (florin_outbox_age_seconds)", "{{app}}")], "s"
        ),
        Panel(
            "Unhandled: age of the oldest event",
            [Curve("max by (consumer) (florin_event_unhandled_seconds)", "{{consumer}}")],
            "s",
        ),
        Panel(
            "Frames in queues, ready and in hand",
            [Curve("max by (queue) (rabbitmq_detailed_queue_messages)", "{{queue}}")],
        ),
        Panel(
            "Consumers of each queue",
            [Curve("max by (queue) (rabbitmq_detailed_queue_consumers)", "{{queue}}")],
        ),
        Panel("Set aside: parked", [Curve("max by (app) (florin_parked_events)", "{{app}}")]),
        Panel("Event to effect, p99", _quantiles("florin_consumer_event_delay_seconds", by="type")[1:], "s"),
        Panel("Sent", [Curve(_rate("florin_relay_sent_total", "type"), "{{type}}")], "reqps"),
        Panel("Publish to confirm", _quantiles("florin_relay_confirm_seconds"), "s"),
        Panel(
            "Batch, from taking it to its commit", _quantiles("florin_consumer_batch_seconds", by="app"), "s"
        ),
        Panel("Events a batch", _quantiles("florin_consumer_batch_events", by="app")),
        Panel(
            "Not as it should be",
            [
                Curve(_rate("florin_quarantined_total", "reason"), "quarantined: {{reason}}"),
                Curve(_rate("florin_inbox_duplicates_total", "app"), "duplicates dropped: {{app}}"),
                Curve("max by (app) (florin_consumer_waiting_for_infrastructure)", "consumer waits: {{app}}"),
            ],
        ),
    ],
)

LEDGER = Board(
    "florin-ledger-health",
    "ledger health",
    [
        _stat("Broken invariants", "sum(florin_invariant_broken)"),
        _stat("Last checked", "time() - max(florin_watch_completed_timestamp_seconds)", "s"),
        _stat("A round takes", "max(florin_watch_round_seconds)", "s"),
        _stat("Oldest pending", "max(florin_payments_oldest_pending_seconds)", "s"),
        _stat("Parked", "sum(max by (app) (florin_parked_events))"),
        _stat("Token key's age", "max(florin_signing_key_age_seconds)", "s"),
        Panel(
            "What must hold, and does not",
            [Curve("max by (invariant, check) (florin_invariant_broken) > 0", "{{invariant}}: {{check}}")],
            width=12,
        ),
        Panel(
            "Posting requests, by answer",
            [Curve(_rate("florin_postings_total", "outcome"), "{{outcome}}")],
            "reqps",
            width=12,
        ),
        Panel("Holds ended", [Curve(_rate("florin_holds_ended_total", "end"), "{{end}}")], "reqps", width=12),
        Panel(
            "Audit log: not yet in its chain, age of the oldest",
            [Curve("max by (service) (florin_audit_unsealed_seconds)", "{{service}}")],
            "s",
            width=12,
        ),
        Panel(
            "Audit log: position at its end",
            [Curve("max by (service) (florin_audit_position)", "{{service}}")],
            width=12,
            help="It only grows. One that falls was cut off, or the database went back in time.",
        ),
        Panel(
            "Certificates that servers show: days left",
            [
                Curve(
                    "(min by (server) (florin_server_certificate_expiry_timestamp_seconds) - time()) / 86400",
                    "{{server}}",
                )
            ],
            width=12,
        ),
        Panel(
            "Accepted minus ended, over an hour",
            [
                Curve(
                    "sum(increase(florin_payments_accepted_total[1h])) - "
                    'sum(increase(florin_payment_moves_total{status=~"SETTLED|REJECTED|VOIDED|EXPIRED"}[1h]))',
                    "on their way",
                )
            ],
            width=12,
            help="What came in and has not ended: what waits for a person or a capture, and what is stuck.",
        ),
    ],
)


def _slo(name: str, ratio: str, budget: float) -> list[Panel]:
    return [
        _stat(f"{name}: budget left, of 3 days", f"1 - max({ratio}3d) / {budget}", "percentunit"),
        Panel(
            f"{name}: burn rate",
            [Curve(f"max({ratio}{window}) / {budget}", window) for window in ("5m", "1h", "6h")],
            help="1 uses up the month's budget in a month. Paged at 14.4 (5m and 1h) and 6 (30m and 6h).",
            width=20,
        ),
    ]


SLOS = Board(
    "florin-slos",
    "objectives",
    [
        *_slo("Availability", "florin:http_errors:ratio_rate", 0.001),
        *_slo("Settlement", "florin:settlement_late:ratio_rate", 0.01),
        *_slo("Notification", "florin:notification_late:ratio_rate", 0.01),
    ],
)


def _service(name: str) -> Board:
    own, app = f'{{service="{name}"}}', f'{{app="{name}"}}'
    http = "florin_http_request_duration_seconds"
    failing = f'{{service="{name}",status=~"5.."}}'
    return Board(
        f"florin-{name}",
        name,
        [
            Panel("Requests, by route", [Curve(_rate(f"{http}_count{own}", "route"), "{{route}}")], "reqps"),
            Panel(
                "Requests, by status", [Curve(_rate(f"{http}_count{own}", "status"), "{{status}}")], "reqps"
            ),
            Panel("Failing", [Curve(_rate(f"{http}_count{failing}", "route"), "{{route}}")], "reqps"),
            Panel("Time to answer", _quantiles(http, own), "s"),
            Panel("Being answered", [Curve(f"sum(florin_http_requests_in_progress{own})")]),
            Panel(
                "Refused for their number", [Curve(_rate(f"florin_rate_limited_total{own}", "route_class"))]
            ),
            Panel(
                "Database connections",
                [
                    Curve(f"sum by (instance) (florin_database_pool_in_use{app})", "{{instance}} in use"),
                    Curve(f"max(florin_database_pool_size{app})", "a process may have"),
                ],
            ),
            Panel(
                "CPU",
                [Curve(f"rate(process_cpu_seconds_total{app}[{_RATE}])", "{{role}} {{instance}}")],
                "short",
            ),
            Panel("Memory", [Curve(f"process_resident_memory_bytes{app}", "{{role}} {{instance}}")], "bytes"),
            *_OWN.get(name, []),
        ],
    )


_OWN: dict[str, list[Panel]] = {
    "transaction": [
        Panel(
            "Waiting for a commit",
            [Curve("max by (name) (florin_group_commit_waiting)", "{{name}}")],
            width=12,
        ),
        Panel("Payments a commit", _quantiles("florin_group_commit_batch_items"), width=12),
        Panel(
            "Circuits: 0 closed, 1 half open, 2 open",
            [Curve("max by (peer, instance) (florin_circuit_breaker_state)", "{{peer}}, {{instance}}")],
            width=12,
        ),
        Panel(
            "Not asked, its circuit being open",
            [Curve(_rate("florin_circuit_breaker_refused_total", "peer"), "{{peer}}")],
            "reqps",
            width=12,
        ),
    ],
    "fraud": [
        Panel(
            "Decisions", [Curve(_rate("florin_fraud_decisions_total", "decision"), "{{decision}}")], "reqps"
        ),
        Panel("Reviews that wait", [Curve("max(florin_fraud_open_reviews)")]),
    ],
    "notification": [
        Panel("Attempts", [Curve(_rate("florin_webhook_attempts_total", "outcome"), "{{outcome}}")], "reqps"),
        Panel(
            "Attempts that succeed",
            [
                Curve(
                    _rate('florin_webhook_attempts_total{outcome="delivered"}')
                    + " / "
                    + _rate("florin_webhook_attempts_total")
                )
            ],
            "percentunit",
        ),
        Panel("An attempt takes", _quantiles("florin_webhook_attempt_seconds"), "s"),
        Panel("Due and not sent", [Curve("max(florin_webhook_deliveries_due)")], width=12),
        Panel("Oldest due", [Curve("max(florin_webhook_oldest_due_seconds)")], "s", width=12),
        Panel(
            "Circuits that are open, of all endpoints",
            [
                Curve("max(florin_webhook_circuits_open)", "open"),
                Curve("max(florin_webhook_endpoints_active)", "endpoints"),
            ],
            width=12,
        ),
        Panel("Held back by circuits", [Curve("max(florin_webhook_deliveries_held_back)")], width=12),
    ],
}

BOARDS = (OVERVIEW, *(_service(name) for name in PROCESSES), MESSAGING, LEDGER, SLOS)
