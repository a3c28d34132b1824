"""Postgres, RabbitMQ and Valkey in throw-away containers, for a machine that has Docker and not these."""

import contextlib
import secrets

import pytest

POSTGRES_IMAGE = "postgres:17"
RABBITMQ_IMAGE = "rabbitmq:4-management"
VALKEY_IMAGE = "valkey/valkey:8"
USER = "florin"
READY_TIMEOUT_S = 120


def start_postgres(closing: contextlib.ExitStack) -> str:
    """The superuser's address of a new server, which ends with `closing`."""
    _require_docker()
    from testcontainers.community.postgres import PostgresContainer

    container = PostgresContainer(
        POSTGRES_IMAGE, username="postgres", password=secrets.token_hex(16), dbname="postgres", driver=None
    )
    container.with_command("postgres -c max_connections=200")
    closing.enter_context(container)
    return str(container.get_connection_url())


def start_rabbitmq(closing: contextlib.ExitStack) -> str:
    """The administrator's address of a new node, which ends with `closing`."""
    _require_docker()
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    password = secrets.token_hex(16)
    container = DockerContainer(RABBITMQ_IMAGE)
    container.with_env("RABBITMQ_DEFAULT_USER", USER).with_env("RABBITMQ_DEFAULT_PASS", password)
    container.with_exposed_ports(5672)
    container.waiting_for(
        LogMessageWaitStrategy("Server startup complete").with_startup_timeout(READY_TIMEOUT_S)
    )
    closing.enter_context(container)
    host, port = container.get_container_host_ip(), container.get_exposed_port(5672)
    return f"amqp://{USER}:{password}@{host}:{port}/"


def start_redis(closing: contextlib.ExitStack) -> str:
    """The address of a new Valkey, which ends with `closing`."""
    _require_docker()
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    password = secrets.token_hex(16)
    container = DockerContainer(VALKEY_IMAGE)
    container.with_command(f"valkey-server --requirepass {password} --bind *")
    container.with_exposed_ports(6379)
    container.waiting_for(
        LogMessageWaitStrategy("Ready to accept connections").with_startup_timeout(READY_TIMEOUT_S)
    )
    closing.enter_context(container)
    host, port = container.get_container_host_ip(), container.get_exposed_port(6379)
    return f"redis://:{password}@{host}:{port}/0"


def _require_docker() -> None:
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env()
        try:
            client.ping()
        finally:
            client.close()
    except DockerException:
        pytest.skip(
            "no servers for tests: install rabbitmq-server and redis-server, start Docker, or set "
            "FLORIN_TEST_DATABASE_ADMIN_URL, FLORIN_TEST_BROKER_URL and FLORIN_TEST_REDIS_URL"
        )
