"""A service's user on a real broker: it publishes what the service produces, reads its queue, and no more."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aio_pika
import httpx2
import pytest
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import AMQPError, ProbableAuthenticationError
from aiormq.exceptions import ChannelAccessRefused
from contracts.catalogue import SERVICES
from florin import broker_users
from florin.errors import StackError
from messaging.broker import open_channel
from messaging.failures import BrokerUnavailable
from messaging.topology import Topology
from testkit.backing import Backing

PASSWORDS = {service: f"{service}-of-this-test" for service in SERVICES}
Url = Callable[[str], str]


@pytest.fixture(scope="module")
def url_of(backing: Backing, broker_namespace: str) -> Url:
    """The broker's address for each service's user."""
    url = backing.broker_url
    for _ in range(2):
        broker_users.apply(backing.broker_management_url, url, broker_namespace, passwords=PASSWORDS)
    return lambda service: broker_users.url_of(url, service, broker_namespace, password=PASSWORDS[service])


@asynccontextmanager
async def channel_of(url: str) -> AsyncIterator[AbstractChannel]:
    async with open_channel(url, name="test") as channel:
        yield channel


async def publish(channel: AbstractChannel, exchange: str, routing_key: str) -> None:
    target = await channel.get_exchange(exchange, ensure=False)
    await target.publish(aio_pika.Message(b"x"), routing_key, timeout=5)


async def test_who_watches_sees_how_long_a_queue_is_and_cannot_read_it(
    backing: Backing, url_of: Url, broker_namespace: str
) -> None:
    management, url = backing.broker_management_url, backing.broker_url
    broker_users.apply(management, url, broker_namespace, passwords={}, watcher_password="of-this-test")
    user, queue = broker_users.watcher_of(broker_namespace), Topology(broker_namespace).queue("account")
    parts = urlsplit(management)
    where = parts.netloc.rpartition("@")[2]
    async with httpx2.AsyncClient(auth=(user, "of-this-test"), trust_env=False) as api:
        seen = await api.get(f"http://{where}/api/queues/%2F/{queue}")
        taken = await api.post(
            f"http://{where}/api/queues/%2F/{queue}/get",
            json={"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"},
        )
        purged = await api.delete(f"http://{where}/api/queues/%2F/{queue}/contents")
    assert seen.status_code == 200
    assert seen.json()["name"] == queue
    assert (taken.status_code, purged.status_code) in {(401, 401), (403, 403), (401, 403), (400, 400)}


async def test_a_service_publishes_its_own_and_reads_its_own_queue(
    url_of: Url, broker_namespace: str
) -> None:
    names = Topology(broker_namespace)
    async with channel_of(url_of("account")) as channel:
        await publish(channel, names.exchange, "florin.posting.completed.v1")
    async with channel_of(url_of("transaction")) as channel:
        queue = await channel.declare_queue(names.queue("transaction"), passive=True)
        message = await queue.get(timeout=5)
        assert message.routing_key == "florin.posting.completed.v1"
        await message.ack()


def _forbidden(names: Topology) -> dict[str, Callable[[AbstractChannel], Awaitable[object]]]:
    async def read(channel: AbstractChannel, queue: str) -> None:
        await (await channel.get_queue(queue, ensure=False)).get(timeout=5, fail=False)

    async def bind(channel: AbstractChannel) -> None:
        own = await channel.get_queue(names.queue("account"), ensure=False)
        await own.bind(names.exchange, "florin.payment.initiated.v1")

    return {
        "read another's queue": lambda c: read(c, names.queue("transaction")),
        "read its dead queue": lambda c: read(c, names.dead_queue("account")),
        "declare a queue": lambda c: c.declare_queue(f"{names.queue('account')}.more"),
        "declare an exchange": lambda c: c.declare_exchange("account.events"),
        "delete its queue": lambda c: c.queue_delete(names.queue("account")),
        "hear more": bind,
        "speak as another": lambda c: publish(c, names.exchange, "florin.payment.initiated.v1"),
        "speak longer": lambda c: publish(c, names.exchange, "florin.posting.completed.v1.more"),
        "put into a queue": lambda c: publish(c, "", names.queue("transaction")),
        "redrive": lambda c: publish(c, names.redrive_exchange("account"), "florin.posting.requested.v1"),
    }


@pytest.mark.parametrize("deed", sorted(_forbidden(Topology())))
async def test_all_else_is_refused(url_of: Url, broker_namespace: str, deed: str) -> None:
    refused = None
    async with channel_of(url_of("account")) as channel:
        try:
            await _forbidden(Topology(broker_namespace))[deed](channel)
        except AMQPError as error:
            refused = error
    assert isinstance(refused, ChannelAccessRefused), refused


async def test_who_sends_nothing_may_publish_nothing(url_of: Url, broker_namespace: str) -> None:
    async with channel_of(url_of("notification")) as channel:
        with pytest.raises(ChannelAccessRefused):
            await publish(channel, Topology(broker_namespace).exchange, "florin.payment.settled.v1")


async def test_another_password_is_refused(url_of: Url, broker_namespace: str) -> None:
    wrong = broker_users.url_of(
        url_of("account"), "account", broker_namespace, password=PASSWORDS["transaction"]
    )
    with pytest.raises(BrokerUnavailable, match=ProbableAuthenticationError.__name__):
        async with channel_of(wrong):
            raise AssertionError("it let us in")


def test_a_management_that_refuses_us_is_told(url_of: Url, backing: Backing, broker_namespace: str) -> None:
    stranger = backing.broker_management_url.replace("://", "://stranger-")
    with pytest.raises(StackError, match="refuses us: 401"):
        broker_users.apply(stranger, backing.broker_url, broker_namespace, passwords=PASSWORDS)
