"""On PYTHONPATH of a process that is to count nothing: its metrics are declared and never changed.

Only for measuring what they cost. Python imports a module of this name by itself as it starts.
"""

from typing import Any

from prometheus_client import Counter, Gauge, Histogram


def _nothing(*_given: Any, **_named: Any) -> None:
    return


for _kind, _changes in (
    (Counter, ("inc",)),
    (Gauge, ("inc", "dec", "set", "set_function")),
    (Histogram, ("observe",)),
):
    for _change in _changes:
        setattr(_kind, _change, _nothing)
