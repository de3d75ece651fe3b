"""What a result was measured on."""

import os
import platform
import sysconfig
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def facts() -> dict[str, Any]:
    """Return the facts that a reader of the results wants to know."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "python_build": build(),
        "kernel": f"{platform.system()} {platform.release()}",
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }


def build() -> str:
    """Return how this Python was compiled, which is worth a tenth or two."""
    arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
    found = "with" if "--enable-optimizations" in arguments else "without"
    return f"{found} profile-guided optimisation"


def processor() -> str:
    """Return the processor's name as Linux tells it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
