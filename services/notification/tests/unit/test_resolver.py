"""Looking names up, bounded."""

import asyncio
from ipaddress import ip_address

import pytest
from notification_service.domain.target import TargetPolicy, TargetRefused
from notification_service.outbound import resolver as module
from notification_service.outbound.resolver import MAX_ADDRESSES, SystemResolver, TargetCheck

from .names import Fixed


async def test_system_resolver_knows_this_machine() -> None:
    resolver = SystemResolver()
    assert ip_address("127.0.0.1") in await resolver.resolve("localhost")
    await resolver.close()


@pytest.mark.parametrize("name", ["no-such-name.invalid", "a" * 70 + ".example", ""])
async def test_name_without_addresses_has_none(name: str) -> None:
    resolver = SystemResolver()
    found = await resolver.resolve(name)
    assert not any(address.is_global for address in found)
    await resolver.close()


async def test_resolver_that_hangs_is_not_waited_for() -> None:
    resolver = SystemResolver(timeout_s=0.0)
    async with asyncio.timeout(5):
        assert await resolver.resolve("localhost") == ()
    await resolver.close()


async def test_literal_address_is_checked_without_a_look_up() -> None:
    names = Fixed([])
    check = TargetCheck(policy=TargetPolicy(), resolver=names)
    assert await check.addresses_of("8.8.8.8") == (ip_address("8.8.8.8"),)
    with pytest.raises(TargetRefused):
        await check.addresses_of("10.0.0.1")
    assert names.asked == []


async def test_name_with_more_addresses_than_anyone_needs_is_refused() -> None:
    many = [f"8.8.{n}.1" for n in range(MAX_ADDRESSES + 1)]
    with pytest.raises(TargetRefused):
        await TargetCheck(policy=TargetPolicy(), resolver=Fixed(many)).addresses_of("many.example.com")


def test_look_up_gives_each_address_once() -> None:
    found = module._look_up("localhost")
    assert len(found) == len(set(found))
