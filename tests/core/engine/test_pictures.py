"""Pictures brought to the size the model is fed, also while several models are woken."""

import subprocess
import sys

MEET = """
import sys, threading
from PIL import Image
from core.engine.pictures import fit

sys.setswitchinterval(1e-6)
start, sizes, wrong = threading.Barrier(6), [], []

def ask():
    start.wait()
    try:
        sizes.append(fit(Image.new("RGB", (64, 64)), 1, 10**6, 28).size)
    except BaseException as error:
        wrong.append(repr(error))

threads = [threading.Thread(target=ask) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(wrong, sizes)
"""


def test_several_first_pictures_at_once_are_all_brought_to_size():
    # in a process of its own: only the first picture of a process imports the library
    done = subprocess.run([sys.executable, "-c", MEET], capture_output=True, text=True)
    assert done.stdout == f"[] {[(56, 56)] * 6}\n", done.stdout + done.stderr
