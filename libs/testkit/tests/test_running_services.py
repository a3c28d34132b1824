"""Journeys get real services on a database and a namespace that no other session uses."""

import httpx2
from contracts.catalogue import SERVICES
from testkit.backing import Backing
from testkit.databases import Databases
from testkit.stacks import RunningServices, running_services
from testkit.waiting import eventually


async def test_services_answer_their_client_and_refuse_a_stranger(running: RunningServices) -> None:
    payments = running.client("transaction")
    assert (await payments.get("/v1/payments")).status_code == 200
    stranger = await payments.get("/v1/payments", headers={"Authorization": "Bearer flk_aaaaaaaa_nobody"})
    assert stranger.status_code == 401


async def test_a_killed_service_comes_back(backing: Backing, databases: Databases) -> None:
    with running_services(backing, databases, names=["identity"]) as started:
        started.services.kill("identity")
        assert not started.services.ready("identity")
        started.services.start("identity")
        assert (await started.client("identity").get("/.well-known/jwks.json")).status_code == 200
        await started.close_clients()


async def test_each_service_is_a_user_of_its_own_on_the_broker(
    running: RunningServices, backing: Backing
) -> None:
    """As in a real stack: a right that is missing there is missing here."""
    namespace = running.surroundings.namespace
    async with httpx2.AsyncClient(base_url=backing.broker_management_url, trust_env=False) as api:

        async def connected() -> set[str]:
            return {one["user"] for one in (await api.get("/api/connections")).json() if "user" in one}

        ours = {f"{namespace}.{service}" for service in SERVICES}

        async def all_are_there() -> bool:
            return ours <= await connected()

        await eventually(all_are_there, timeout_s=30)
        for service in SERVICES:
            path = f"/api/users/{namespace}.{service}"
            assert (await api.get(path)).json()["tags"] == []
