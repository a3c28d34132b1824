"""The fixtures keep their promises: fresh databases, separate namespaces, waiting with a deadline."""

import asyncpg
import pytest
from florin.backing.kind import Given
from florin.backing.redis import Redis
from messaging.signing import KeyRing
from testkit.backing import Backing
from testkit.databases import Databases, ServiceDatabase, connect
from testkit.waiting import eventually


async def test_eventually_returns_the_first_true_answer() -> None:
    answers = iter([None, 0, "yes"])
    assert await eventually(lambda: next(answers)) == "yes"


async def test_eventually_shows_the_last_assertion_when_time_is_up() -> None:
    def never() -> bool:
        raise AssertionError("still 3 of 5")

    with pytest.raises(AssertionError, match="still 3 of 5"):
        await eventually(never, timeout_s=0.05)


async def test_app_role_works_in_its_schema_and_owns_nothing(empty_database: ServiceDatabase) -> None:
    app = await connect(empty_database.app_url)
    try:
        assert await app.fetchval("SELECT current_schema()") == "transaction"
        assert await app.fetchval("SHOW lock_timeout") == "10s"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("CREATE TABLE thing (id int)")
    finally:
        await app.close()


async def test_auditor_reads_every_schema_and_writes_none(empty_database: ServiceDatabase) -> None:
    owner, auditor = await connect(empty_database.owner_url), await connect(empty_database.auditor_url)
    try:
        await owner.execute("CREATE TABLE seen (id int)")
        assert await auditor.fetchval("SELECT count(*) FROM transaction.seen") == 0
        with pytest.raises(asyncpg.PostgresError):
            await auditor.execute("INSERT INTO transaction.seen VALUES (1)")
    finally:
        await owner.close()
        await auditor.close()


async def test_two_fresh_databases_share_nothing(databases: Databases) -> None:
    first, second = databases.fresh([]), databases.fresh([])
    owner = await connect(databases.described(first, "account").owner_url)
    other = await connect(databases.described(second, "account").owner_url)
    try:
        await owner.execute("CREATE TABLE only_here (id int)")
        assert await other.fetchval("SELECT to_regclass('only_here')") is None
    finally:
        await owner.close()
        await other.close()
        databases.drop(first)
        databases.drop(second)


def test_keyring_has_a_signing_key_for_each_service(keyring: KeyRing) -> None:
    assert keyring.signing_key("account").producer == "account"


def test_namespace_stands_on_the_broker(broker_namespace: str, backing: Backing) -> None:
    assert broker_namespace.startswith("test-")
    assert backing.broker_url.startswith("amqp://")


async def test_a_tests_own_redis_is_killed_alone(redis_url: str, own_redis: Redis) -> None:
    shared = Given("redis", redis_url, variable="redis_url")
    own_redis.kill()
    assert not own_redis.ready()
    assert shared.ready()
    own_redis.start()
    assert own_redis.ready()
