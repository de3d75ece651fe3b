"""Run a workload under a measure, on the loop of `listen()`."""

import asyncio
import gc

import measures
import uvloop
from apps import make_app
from workloads import WORKLOADS

WARM_UP = 50  # requests
COUNTED = 16
LEAVING = 512  # a multiple of the heads that the server keeps


def figures(name):
    """Return what one request of a workload costs."""
    return {
        "instructions": round(counts(name, measures.instructions).total()),
        "calls": round(counts(name, measures.calls).total()),
        "bytes": _run(name, measures.memory, COUNTED),
    }


def counts(name, measure):
    """Return the counts of a measure for one request."""
    of_all = _run(name, measure, COUNTED)
    return type(of_all)({each: count / COUNTED for each, count in of_all.items()})


def leavings(name):
    """Return the blocks of memory that one request leaves, and what the collector found of all."""
    blocks, found = _run(name, measures.leavings, LEAVING)
    return blocks / LEAVING, found


def _run(name, measure, size):
    with asyncio.Runner(debug=False, loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_measure(WORKLOADS[name], measure, size))


async def _measure(workload, measure, size):
    client = workload.client(make_app(*workload.middleware))

    async def ask(packets):
        await client.ask(packets, workload.start, workload.end)

    await client.open()
    for number in range(WARM_UP):
        await ask(workload.packets(number))
    requests = [workload.packets(WARM_UP + number) for number in range(size)]
    gc.collect()
    gc.disable()
    try:
        return await measure(ask, requests)
    finally:
        gc.enable()
        await client.close()
