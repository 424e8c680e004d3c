"""What stands beside a measurement: the machine and the day."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path


def machine() -> str:
    """The processor and its cores, for people."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    except OSError:  # not Linux
        pass
    return f"{name}, {os.cpu_count()} cores"


def today() -> str:
    return datetime.now(UTC).date().isoformat()
