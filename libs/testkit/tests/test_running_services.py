"""Journeys get real services on a database and a namespace that no other session uses."""

from testkit.backing import Backing
from testkit.databases import Databases
from testkit.stacks import RunningServices, running_services


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
