"""What the description says of every operation; answers are held to it where all services run."""

from typing import cast

from account_service.app import make_api
from service_kit.auth import ApiKeys
from service_kit.clock import SystemClock
from service_kit.database import Database
from service_kit.protection import assert_all_routes_protected

from .bank import new_vault

# The description needs no database: the routes ask for it only when they are called.
_API = make_api(cast(Database, None), ApiKeys([], b""), SystemClock(), new_vault())


def test_every_route_asks_for_a_key() -> None:
    assert_all_routes_protected(_API)


def test_every_operation_is_described() -> None:
    for path in _API.openapi()["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            assert operation["description"]
