"""Which kind of each backing service this machine gets: given by URL, installed, from apt, or in Docker."""

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from florin.backing import container, debian, rabbitmq_programs, redis
from florin.backing.container import Container, Recipe
from florin.backing.kind import BackingService, Given
from florin.backing.postgres import Postgres
from florin.backing.rabbitmq import USER, RabbitMQ
from florin.backing.redis import Redis
from florin.credentials import Credentials
from florin.errors import StackError
from florin.ports import HOST, Ports

DATABASE_VARIABLE = "FLORIN_DATABASE_ADMIN_URL"
BROKER_VARIABLE = "FLORIN_BROKER_URL"
MANAGEMENT_VARIABLE = "FLORIN_BROKER_MANAGEMENT_URL"
REDIS_VARIABLE = "FLORIN_REDIS_URL"
INSTALLED: dict[str, Callable[[], bool]] = {"rabbitmq": rabbitmq_programs.installed, "redis": redis.installed}
PACKAGES = {"rabbitmq": "rabbitmq-server", "redis": "redis-server"}
ADVICE = {
    "rabbitmq": "RabbitMQ is missing: apt-get install rabbitmq-server (macOS: brew install rabbitmq), "
    f"or start Docker, or set {BROKER_VARIABLE}",
    "redis": "Redis is missing: apt-get install redis-server (macOS: brew install valkey), "
    f"or start Docker, or set {REDIS_VARIABLE}",
}


def database(
    given: Mapping[str, str], run_dir: Path, ports: Ports, credentials: Credentials
) -> BackingService:
    """Postgres: the one given by URL, else a private one."""
    url = given.get(DATABASE_VARIABLE)
    password = credentials.postgres
    if url:
        return Given("postgres", with_password(url, password), variable=DATABASE_VARIABLE)
    return Postgres(folder=run_dir / "postgres", run_dir=run_dir, port=ports.postgres, password=password)


def broker(given: Mapping[str, str], run_dir: Path, ports: Ports, credentials: Credentials) -> BackingService:
    """RabbitMQ: the one given by URL, else a private node, in a container when it was once begun there."""
    url = given.get(BROKER_VARIABLE)
    if url:
        return Given("rabbitmq", with_password(url, credentials.broker), variable=BROKER_VARIABLE)
    process = RabbitMQ(
        folder=run_dir / "rabbitmq",
        run_dir=run_dir,
        ports=ports,
        password=credentials.broker,
        node=credentials.node,
    )
    recipe = Recipe(
        image="rabbitmq:4-management",
        ports={ports.amqp: 5672, ports.amqp_management: 15672, ports.amqp_prometheus: 15692},
        data="/var/lib/rabbitmq",
        environment={"RABBITMQ_DEFAULT_USER": USER, "RABBITMQ_DEFAULT_PASS": credentials.broker},
    )
    return _process_or_container(process, recipe=recipe, run_dir=run_dir, node=credentials.node)


def broker_management(given: Mapping[str, str], ports: Ports, credentials: Credentials) -> str | None:
    """The HTTP address of RabbitMQ's management; None for a given broker of which only AMQP's is known."""
    if given.get(BROKER_VARIABLE):
        url = given.get(MANAGEMENT_VARIABLE)
        return with_password(url, credentials.broker) if url else None
    return f"http://{USER}:{credentials.broker}@{HOST}:{ports.amqp_management}"


def cache(given: Mapping[str, str], run_dir: Path, ports: Ports, credentials: Credentials) -> BackingService:
    """Redis or Valkey, chosen in the same way."""
    url = given.get(REDIS_VARIABLE)
    if url:
        return Given("redis", with_password(url, credentials.redis), variable=REDIS_VARIABLE)
    process = Redis(folder=run_dir / "redis", run_dir=run_dir, port=ports.redis, password=credentials.redis)
    recipe = Recipe(
        image="valkey/valkey:8",
        ports={ports.redis: 6379},
        data="/data",
        command=(
            "valkey-server",
            "--requirepass",
            credentials.redis,
            "--appendonly",
            "yes",
            "--bind",
            "*",
        ),
    )
    return _process_or_container(process, recipe=recipe, run_dir=run_dir, node=credentials.node)


def bring_missing(given: Mapping[str, str], run_dir: Path, *, say: Callable[[str], None]) -> None:
    """Sees to it that what is not given can be started here, by apt or by Docker; else StackError."""
    for name, variable in (("rabbitmq", BROKER_VARIABLE), ("redis", REDIS_VARIABLE)):
        if given.get(variable) or INSTALLED[name]() or marker_of(run_dir, name).exists():
            continue
        if debian.usable():
            debian.install(PACKAGES[name], service=PACKAGES[name], say=say)
            if not INSTALLED[name]():
                raise StackError(ADVICE[name])
        elif container.usable():
            say(f"{name} is not installed: it will run in Docker")
            marker = marker_of(run_dir, name)
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.touch()
        else:
            raise StackError(ADVICE[name])


def with_password(url: str, password: str) -> str:
    """The address, completed with the password of our own server where it names a user (`florin@`, or `@`
    alone) and none."""
    login, separator, where = urlsplit(url).netloc.rpartition("@")
    if not separator or ":" in login:
        return url
    return urlunsplit(urlsplit(url)._replace(netloc=f"{login}:{quote(password, safe='')}@{where}"))


def marker_of(run_dir: Path, name: str) -> Path:
    """The file that says: in this run folder, this service lives in a container."""
    return run_dir / "pids" / f"{name}.container"


def _process_or_container(
    process: RabbitMQ | Redis, *, recipe: Recipe, run_dir: Path, node: str
) -> BackingService:
    marker = marker_of(run_dir, process.name)
    return Container(process, recipe=recipe, node=node, marker=marker) if marker.exists() else process
