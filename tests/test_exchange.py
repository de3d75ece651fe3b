"""The client's going, as an event."""

import asyncio

from ohia.exchange import Disconnect


def test_it_is_set_once_and_calls_back_once() -> None:
    calls: list[str] = []
    gone = Disconnect()
    gone.add_callback(lambda: calls.append("one"))
    assert not gone.is_set()
    gone.set()
    gone.set()
    gone.add_callback(lambda: calls.append("late"))
    assert (gone.is_set(), calls) == (True, ["one", "late"])


def test_a_removed_callback_is_not_called() -> None:
    gone = Disconnect()
    calls: list[str] = []

    def callback() -> None:
        calls.append("one")

    gone.add_callback(callback)
    gone.remove_callback(callback)
    gone.remove_callback(callback)
    gone.set()
    assert calls == []


async def test_many_can_wait() -> None:
    gone = Disconnect()
    waiting = [asyncio.create_task(gone.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    gone.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in results] == [asyncio.CancelledError, type(None), type(None)]
    await gone.wait()
