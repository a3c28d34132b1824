"""Journeys get real services on a database and a namespace of their own."""

from testkit.stacks import RunningServices


async def test_services_answer_their_client_and_refuse_a_stranger(running: RunningServices) -> None:
    payments = running.client("transaction")
    assert (await payments.get("/v1/payments")).status_code == 200
    stranger = await payments.get("/v1/payments", headers={"Authorization": "Bearer flk_aaaaaaaa_nobody"})
    assert stranger.status_code == 401


async def test_a_killed_service_comes_back(running: RunningServices) -> None:
    running.services.kill("account")
    assert not running.services.ready("account")
    running.services.start("account")
    assert (await running.client("account").get("/v1/accounts")).status_code == 200
