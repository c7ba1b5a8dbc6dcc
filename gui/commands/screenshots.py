"""Take the README's pictures from the running page: light, dark and on a projector."""

import argparse
from pathlib import Path

from gui.commands import ROOT, Mistake, page, test

REQUIRES = ["requirements.txt", "requirements-test.txt"]
# name → query of the address, colour scheme, window; each shows a swap on a planning question
SHOTS = {
    "light": ("?ex=21", "light", (1440, 1000)),
    "dark": ("?ex=21", "dark", (1440, 1000)),
    "presenter": ("?ex=21&present=1", "light", (1280, 720)),
}
READ = ("light", "dark")  # with a latent selected, so that the inspector has something to say
PATIENCE = 120_000  # ms


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flag that says where the pictures go."""
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "assets" / "screenshots",
        help="folder to write (default: assets/screenshots)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve the page, do what a person would, and photograph it."""
    chromium = test.find_chromium()
    if chromium is None:
        raise Mistake("Screenshots need a Chromium or Chrome; install one and try again.")
    from playwright.sync_api import sync_playwright

    from gui import app

    options = app.Options(port=page.free_port(page.LOOPBACK, 7900))
    blocks = app.build(options)
    address = app.launch(blocks, options)
    blocks.workshop.start()
    blocks.workshop.done.wait()
    if not blocks.workshop.ready:
        raise Mistake(blocks.workshop.failure)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, (query, scheme, (width, height)) in SHOTS.items():
            tab = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme
            ).new_page()
            tab.set_default_timeout(PATIENCE)
            tab.goto(address + query)
            tab.wait_for_selector(".card .answer")
            tab.get_by_role("button", name="Swap", exact=True).click()
            tab.get_by_text("Receipt").first.wait_for()
            if name in READ:
                tab.click('.cell[data-step="2"]')
                tab.get_by_text("Layer by layer").wait_for()
            tab.mouse.move(0, 0)
            tab.wait_for_timeout(4000)  # the map is drawn behind the answers
            tab.screenshot(path=str(arguments.out / f"{name}.png"))
            print(arguments.out / f"{name}.png", flush=True)
        browser.close()
    blocks.close(verbose=False)
    return 0
