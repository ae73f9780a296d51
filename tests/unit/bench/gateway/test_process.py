import os
from pathlib import Path

from tests.bench.gateway.process import Memory, parse_memory


def test_private_memory_is_told_apart_from_all_that_is_resident() -> None:
    status = "Name:\tenvoy\nVmRSS:\t  102400 kB\nRssAnon:\t   20480 kB\nRssFile:\t   81920 kB\n"
    assert parse_memory(status) == Memory(20, 100)


def test_two_processes_add_up() -> None:
    assert Memory(1, 2) + Memory(3, 5) == Memory(4, 7)


def test_a_process_of_this_machine_can_be_read() -> None:
    found = parse_memory(Path(f"/proc/{os.getpid()}/status").read_text())
    assert 0 < found.private_mib < found.resident_mib
