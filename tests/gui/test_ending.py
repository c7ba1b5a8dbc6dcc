"""The end of the page: what is kept before all else, what is stopped, and what is not awaited."""

import subprocess
import sys
import threading
from types import SimpleNamespace

from gui import ending
from gui.commands import ROOT
from gui.sweep import View
from gui.visitors import Visits


class Job:
    """A study at work, as far as the end of the page asks it."""

    alive = True

    def stop(self):
        self.alive = False


def page_of(visits, told):
    def settle():
        told.append(("settled", visits.at_work()))

    server = SimpleNamespace(config=SimpleNamespace(timeout_graceful_shutdown=None))
    return SimpleNamespace(
        visits=visits,
        autosave=SimpleNamespace(settle=settle),
        server=server,
        close=lambda verbose: told.append(("closed", visits.at_work())),
    )


def test_sessions_are_written_before_and_after_what_is_at_work_is_stopped(monkeypatch):
    monkeypatch.setattr(ending, "_at_the_latest", lambda: None)
    visits, told = Visits(), []
    _, visit = visits.open()
    _, other = visits.open()
    visit.going = True
    other.beside["study"] = Job()
    other.beside["sweep"] = view = View(going=True)

    def works():
        visit.cancel.wait(10)
        visit.going = False
        view.cancel.wait(10)
        view.going = False

    at_work = threading.Thread(target=works)
    at_work.start()
    page = page_of(visits, told)
    ending.end(page)
    at_work.join()
    assert told == [("settled", True), ("settled", False), ("closed", False)]
    assert page.server.config.timeout_graceful_shutdown <= ending.CLOSE


def test_what_does_not_stop_is_not_awaited(monkeypatch):
    monkeypatch.setattr(ending, "_at_the_latest", lambda: None)
    monkeypatch.setattr(ending, "STEP", 0.05)
    monkeypatch.setattr(ending, "CLOSE", 0.05)
    visits, told, free = Visits(), [], threading.Event()
    _, visit = visits.open()
    visit.going = True
    page = page_of(visits, told)
    page.close = lambda verbose: free.wait(30)
    ending.end(page)
    free.set()
    assert told == [("settled", True), ("settled", True)]
    assert visit.cancel.is_set()


def test_the_process_goes_though_a_thread_is_still_at_work():
    code = (
        "import atexit, threading, time\n"
        "from gui import ending\n"
        "threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "atexit.register(print, 'tidied')\n"
        "print('said', end=' ')\n"
        "ending.leave(0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "said tidied\n", "")
