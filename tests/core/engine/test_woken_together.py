"""Several models woken at once in one process, as when a page's first visitors ask for them."""

import subprocess
import sys

from tests.core.engine import tiny

MEET = """
import sys, threading
import core
from PIL import Image
from core.engine.pictures import fit

sys.setswitchinterval(1e-6)
start, sizes, wrong = threading.Barrier(3), [], []

def wake():
    start.wait()
    try:
        core.load(sys.argv[1], device="cpu")
        sizes.append(fit(Image.new("RGB", (64, 64)), 1, 10**6, 28).size)
    except BaseException as error:
        wrong.append(repr(error))

threads = [threading.Thread(target=wake) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(wrong, sizes)
"""


def test_models_woken_together_do_not_meet_half_imported_libraries(tmp_path):
    # in a process of its own: only the first model and picture of a process import them
    folder = tiny.write_checkpoint(tmp_path / "model", "monet", seed=7)
    command = [sys.executable, "-c", MEET, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == f"[] {[(56, 56)] * 3}\n", done.stdout + done.stderr
