"""The ground floor: frozen values that pass between rooms, and their files."""

from core.records.archive import load, save
from core.records.bank import Bank
from core.records.edit import MODES, Edit
from core.records.receipt import Dose, Receipt
from core.records.settings import Settings
from core.records.span import Span
from core.records.trace import Prompt, Timings, Trace, new_id

__all__ = [
    "MODES",
    "Bank",
    "Dose",
    "Edit",
    "Prompt",
    "Receipt",
    "Settings",
    "Span",
    "Timings",
    "Trace",
    "load",
    "new_id",
    "save",
]
