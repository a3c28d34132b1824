"""What a server says of itself decides whether money may be kept there."""

import pytest
from service_kit.database_server import ServerRefused, refuse_unsafe


@pytest.mark.parametrize(
    ("version", "fsync", "complaint"),
    [(140_012, "on", "PostgreSQL 14"), (190_000, "on", "PostgreSQL 19"), (180_001, "off", "fsync")],
)
def test_a_server_unfit_for_money_is_refused(version: int, fsync: str, complaint: str) -> None:
    with pytest.raises(ServerRefused, match=complaint):
        refuse_unsafe(version, fsync=fsync, synchronous_commit="on")
