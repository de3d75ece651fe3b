"""What requests cost. Each measure has `ask` answer some of them; see `__main__.py`."""

import gc
import sys
import tracemalloc
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
# The work is that of ohia, its libraries and `apps.py`; these only make it happen.
UNCOUNTED = {str(HERE / name) for name in ("clients.py", "measures.py", "runs.py")}


async def instructions(ask, requests):
    """Count the bytecode instructions that ran, by code object."""
    counts = Counter()
    start, stop = _by_trace(counts) if sys.version_info < (3, 12) else _by_monitor(counts)
    start()
    for request in requests:
        await ask(request)
    stop()
    return counts


def _by_trace(counts):
    def enter(frame, event, arg):
        if frame.f_code.co_filename in UNCOUNTED:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return step

    def step(frame, event, arg):
        if event == "opcode":
            counts[frame.f_code] += 1
        return step

    return lambda: sys.settrace(enter), lambda: sys.settrace(None)


def _by_monitor(counts):  # from Python 3.12 on a trace function misses some
    monitoring = sys.monitoring
    tool, instruction = monitoring.PROFILER_ID, monitoring.events.INSTRUCTION

    def step(code, offset):
        if code.co_filename not in UNCOUNTED:
            counts[code] += 1

    def start():
        monitoring.use_tool_id(tool, "guard")
        monitoring.register_callback(tool, instruction, step)
        monitoring.set_events(tool, instruction)

    def stop():
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)

    return start, stop


async def calls(ask, requests):
    """Count the calls of functions and methods that are written in C, by name."""
    counts = Counter()

    def note(frame, event, function):
        if event == "c_call" and frame.f_code.co_filename not in UNCOUNTED:
            counts[function.__qualname__] += 1

    sys.setprofile(note)
    for request in requests:
        await ask(request)
    sys.setprofile(None)
    return counts


async def memory(ask, requests):
    """Return the bytes that a request takes at most: the least of all, for free lists fill."""
    tracemalloc.start()
    peaks = []
    for request in requests:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        await ask(request)
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
    tracemalloc.stop()
    return min(peaks)


async def leavings(ask, requests):
    """Return the blocks of memory that all of them left, and what the collector found."""
    before = sys.getallocatedblocks()
    for request in requests:
        await ask(request)
    found = gc.collect()  # it empties the free lists too, as the collection before did
    return sys.getallocatedblocks() - before, found
