"""What a process costs, from /proc."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_FIELD = re.compile(r"^(VmHWM|VmRSS):\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True)
class Footprint:
    """Memory in MiB, processor time in seconds since the start."""

    resident_mib: float
    peak_mib: float
    processor_seconds: float


def parse_footprint(status: str, stat: str) -> Footprint:
    """From the texts of /proc/PID/status and /proc/PID/stat."""
    memory = {name: int(kib) / 1024 for name, kib in _FIELD.findall(status)}
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces and parentheses
    ticks = int(fields[11]) + int(fields[12])
    return Footprint(memory["VmRSS"], memory["VmHWM"], ticks / _TICKS_PER_SECOND)


def footprint_of(pid: int) -> Footprint:
    """Of a running process of this machine."""
    return parse_footprint(Path(f"/proc/{pid}/status").read_text(), Path(f"/proc/{pid}/stat").read_text())
