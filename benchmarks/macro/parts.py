"""Ten layers without a server, three ways: `parts.py ROUNDS`, run in the virtual environment.

Prints a line of JSON: for each round the nanoseconds of CPU that one layer takes in a chain of
guarded closures by hand, of `async def` middleware and of generators, each the least of several
short turns. The chains are those of benchmarks/micro.py.
"""

import asyncio
import gc
import json
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent))

from micro import LAYERS, by_hand, generator_layer, layer, nothing, run

from ohia import compose

TURNS, CALLS = 15, 1000


def chains():
    return {
        "nothing": nothing,
        "closures": by_hand([layer] * LAYERS),
        "async def": compose([layer] * LAYERS, checked=False),
        "generators": compose([generator_layer] * LAYERS, checked=False),
    }


def turn(chain) -> float:
    started = time.process_time()
    asyncio.run(run(chain, CALLS))
    return time.process_time() - started


def one_round() -> dict[str, float]:
    """Return nanoseconds per layer, all chains taking turns."""
    least = dict.fromkeys(chains(), float("inf"))
    for _ in range(TURNS):
        for name, chain in chains().items():
            least[name] = min(least[name], turn(chain))
    base = least.pop("nothing")
    return {name: (found - base) / CALLS / LAYERS * 1e9 for name, found in least.items()}


def main(rounds: int) -> None:
    gc.disable()
    print(json.dumps([one_round() for _ in range(rounds)]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
