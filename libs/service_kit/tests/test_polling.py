"""Who asks again and again asks sooner while there is no answer."""

import asyncio

from service_kit.polling import Poller
from testkit.waiting import eventually


async def test_without_an_answer_it_asks_again_after_the_pause_alone() -> None:
    """A service that comes up before its issuer must not refuse tokens until the next round."""
    asked = 0

    async def ask() -> None:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise OSError("nobody is there yet")

    async def answered() -> bool:
        return asked == 3

    poller = Poller("test", ask, every_s=3_600, pause_s=0.01)
    running = asyncio.create_task(poller.run())
    await eventually(answered)
    poller.stop()
    await running
