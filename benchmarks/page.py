"""What a person waits for: the page, its first example, a selected latent, an applied edit.

Starts ``launch.py`` as a person would and drives the page in Chromium, with the shipped demo
model. Prints the median and the slowest of each, and the median's ratio to the aim.

    python benchmarks/page.py [--rounds 15] [--model PATH]
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

# Seconds; 0 where there is no aim.
AIMS = {
    "served page": 4.0,
    "drawn example": 8.0,
    "ready to edit": 0.0,
    "select": 0.150,
    "apply": 0.300,
}
PATIENCE = 120  # seconds
DRAWN = """() => document.querySelector('.card .answer')
  && document.querySelector('#map .scatterlayer .trace')
  && document.querySelector('#similarity .hm')"""
# Seconds from a click to the moment a condition holds, by the browser's own clock.
TIMED = """([selector, condition]) => new Promise((done) => {
  const holds = new Function('return ' + condition);
  const begun = performance.now();
  const watcher = new MutationObserver(() => {
    if (!holds()) return;
    watcher.disconnect();
    requestAnimationFrame(() => done((performance.now() - begun) / 1000));
  });
  watcher.observe(document.body, {
    childList: true, subtree: true, attributes: true, characterData: true,
  });
  document.querySelector(selector).click();
})"""


def start(model: str | None, state: str) -> tuple[subprocess.Popen[bytes], str, float]:
    """A fresh page: its process, address, and seconds until it was served."""
    from gui.commands.page import LOOPBACK, free_port

    port = free_port(LOOPBACK, 7950)
    command = [sys.executable, "launch.py", "--no-browser", "--no-install", "--port", str(port)]
    command += ["--model", model] if model else []
    begun = time.perf_counter()
    env = {**os.environ, "XDG_STATE_HOME": state}
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
    address = f"http://{LOOPBACK}:{port}/"
    while time.perf_counter() - begun < PATIENCE:
        try:
            urlopen(address, timeout=5).close()
            return process, address, time.perf_counter() - begun
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
    raise SystemExit("The page did not come up.")


def measure(rounds: int, model: str | None) -> dict[str, list[float]]:
    """Seconds of everything a person waits for, once or ``rounds`` times each."""
    from playwright.sync_api import sync_playwright

    from gui.commands.test import find_chromium

    chromium = find_chromium()
    if chromium is None:
        raise SystemExit("This benchmark needs a Chromium or Chrome; install one and try again.")
    times: dict[str, list[float]] = {name: [] for name in AIMS}
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as state:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        begun = time.perf_counter()
        process, address, served = start(model, state)
        try:
            times["served page"].append(served)
            tab.goto(address)
            tab.wait_for_function(DRAWN, timeout=PATIENCE * 1000)
            times["drawn example"].append(time.perf_counter() - begun)
            # what was drawn may be a recorded run, while the model is still being loaded
            tab.wait_for_function(
                "!document.querySelector('#run').disabled", timeout=PATIENCE * 1000
            )
            times["ready to edit"].append(time.perf_counter() - begun)
            tab.wait_for_timeout(2000)  # the rest of the page settles
            steps = tab.locator(".cell").count()
            for k in range(rounds):
                step = k % steps
                name = f"Latent z{step + 1}"
                said = f"document.querySelector('#inspector h3').textContent === '{name}'"
                cell = f'.cell[data-step="{step}"]'
                times["select"].append(tab.evaluate(TIMED, [cell, said]))
                tab.wait_for_timeout(150)
            for k in range(rounds):
                enabled = "!document.querySelector('#apply').disabled"
                tab.wait_for_function(enabled)
                said = f"document.querySelectorAll('.leaf').length === {k + 2}"
                times["apply"].append(tab.evaluate(TIMED, ["#apply", said]))
                tab.wait_for_timeout(300)
        finally:
            browser.close()
            process.send_signal(signal.SIGTERM)
            process.wait()
    return times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--model", help="a checkpoint's folder (default: the shipped one)")
    arguments = parser.parse_args()
    times = measure(arguments.rounds, arguments.model)
    print(f"{'':16}{'median':>9}{'slowest':>9}{'aim':>8}{'median/aim':>12}{'times':>7}")
    for name, seconds in times.items():
        middle, aim = statistics.median(seconds), AIMS[name]
        against = f"{aim:7.2f}s{middle / aim:12.2f}" if aim else f"{'none':>8}{'':12}"
        print(f"{name:16}{middle:8.3f}s{max(seconds):8.3f}s{against}{len(seconds):7}")


if __name__ == "__main__":
    main()
