"""A text to take along: copied at once where the browser allows it, and shown to be copied."""

from pathlib import Path

SCRIPT = (Path(__file__).parent / "sheet.js").read_text(encoding="utf-8")
