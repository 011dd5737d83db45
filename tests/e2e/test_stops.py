"""Does a stop signal at any moment, under load and given twice, end the service in time?"""

import subprocess
import sys

import pytest

from tests.e2e.server import PROJECT

PROCESSES = 2
SLOWEST = pytest.param(3000, marks=[pytest.mark.slow, pytest.mark.slowest])


@pytest.mark.parametrize("count", [10, SLOWEST])
def test_every_stop_ends_the_service_within_8_seconds(tmp_path, count):
    running = []
    for number in range(PROCESSES):
        folder = tmp_path / str(number)
        folder.mkdir()
        command = [sys.executable, "-m", "tests.e2e.stops", str(count // PROCESSES), str(folder)]
        running.append(subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True))
    said = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0] * PROCESSES, said
