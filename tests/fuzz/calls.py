"""Calls of programs: edit lists, arguments of the endpoints, steps as people write them."""

from __future__ import annotations

import base64
import io
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr

import core
from core.edits import kinds as edit_kinds
from gui.acts import parse_options
from gui.answering import FIELDS
from gui.bounds import Bounds
from gui.endpoints import Endpoints
from gui.links import edit_of, example_of
from gui.steps import parse_steps
from gui.workshop import Workshop
from tests.core.engine import tiny
from tests.fuzz.kind import Kind, Unnamed, refused
from tests.fuzz.mutate import spoiled_bytes, value

SOUND: dict[str, Any] = {
    "steps": [0, 1], "span": 0, "mode": "pinned", "seed": 3, "dose": 0.5, "angle": 30.0,
    "fraction": 0.5, "renorm": True, "order": [1, 0], "count": 2, "token": "red", "patch": [0, 1],
    "text": "a red star", "layers": [0, 1], "part": "keys", "source": "answer",
    "target": "latents", "places": [0, 1], "values": [0.1] * tiny.WIDTH, "donor": 2,
}  # fmt: skip
SHORT = 12  # tokens of a run


def offered(folder: Path, family: str = "monet") -> Endpoints:
    """The endpoints of a model with random weights."""
    checkpoint = tiny.write_checkpoint(folder / "tiny", family, seed=3)
    items = [
        SimpleNamespace(image=tiny.picture(i), question="What colour is the star?",
                        options=("red", "blue"), answer="red", task="attribute")
        for i in range(2)
    ]  # fmt: skip
    shop = Workshop(lambda: core.load(checkpoint, family=family, device="cpu"), lambda: items)
    shop.warm()
    if not shop.ready:
        raise RuntimeError(shop.failure)
    shelf = SimpleNamespace(name="tiny", gallery=shop.items, models={}, get=lambda name: shop)
    found = Endpoints(shelf, Bounds.hosted())  # type: ignore[arg-type]
    found.answering.models = lambda: ["tiny"]  # type: ignore[method-assign]
    found.shop = shop  # type: ignore[attr-defined]
    return found


def edits(draw: random.Random) -> Any:
    """A list of edits, most of a kind there is with a few fields of which some fit."""
    if draw.random() < 0.05:
        return value(draw)
    names = [kind.name for kind in edit_kinds()]
    found: list[Any] = []
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        if draw.random() < 0.05:
            found.append(value(draw))
            continue
        edit: dict[str, Any] = {"kind": draw.choice(names)}
        for name in draw.sample(sorted(SOUND), draw.randrange(5)):
            edit[name] = SOUND[name] if draw.random() < 0.5 else value(draw)
        if draw.random() < 0.05:
            edit[draw.choice(["kind", "donor_id", "__class__", "spell", ""])] = value(draw)
        found.append(edit)
    return found


def image(draw: random.Random) -> str:
    """A picture as text: sound, spoiled, or an address."""
    file = io.BytesIO()
    tiny.picture(1).save(file, "PNG")
    data = file.getvalue()
    match draw.randrange(4):
        case 0:
            return base64.b64encode(data).decode()
        case 1:
            return "data:image/png;base64," + base64.b64encode(spoiled_bytes(draw, data)).decode()
        case 2:
            return str(value(draw))
        case _:
            return spoiled_bytes(draw, base64.b64encode(data)).decode("latin-1")


class Called:
    """Calls the endpoints' own methods and looks whether anything is left behind."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.endpoints = endpoints

    def __call__(self, given: tuple[str, dict[str, Any]]) -> None:
        """Call an endpoint; its own sentence is given on as it is."""
        name, words = given
        room = self.endpoints.shop  # type: ignore[attr-defined]
        try:
            getattr(self.endpoints, name)(**words)
        except gr.Error as error:
            refused(Exception(error.message))
        if len(room.line) or len(room.engine.store) > len(room.items):
            raise Unnamed("a call left a place in the line or a run behind")

    def edits(self, draw: random.Random) -> tuple[str, dict[str, Any]]:
        """A branch of a built-in example."""
        words = {"example": 1, "edits": edits(draw), "force": True, "max_new_tokens": SHORT}
        return "branch", words

    def words(self, draw: random.Random) -> tuple[str, dict[str, Any]]:
        """Any endpoint with arguments of which some are of another type or far too large."""
        name = draw.choice(["run", "branch", "score"])
        words: dict[str, Any] = {"example": draw.choice([0, 1, 2]), "question": "What is it?"}
        words["image"] = image(draw) if draw.random() < 0.5 else ""
        if name == "score":
            words["options"] = ["red", "blue"] if draw.random() < 0.5 else value(draw)
        else:
            words["max_new_tokens"] = SHORT
        if name == "branch":
            words["edits"] = edits(draw)
        for spoilt in draw.sample(sorted(words), draw.choice([0, 1, 1, 2])):
            words[spoilt] = value(draw)
        if draw.random() < 0.3:
            words[draw.choice(["model", "force"])] = value(draw)
        if draw.random() < 0.1 and name != "score":
            words["seed"] = value(draw)
        return name, words


def texts(draw: random.Random) -> str:
    """A line somebody typed or an address somebody wrote."""
    if draw.random() < 0.4:
        return str(value(draw))
    return "".join(draw.choice("0123456789-–, z*all;=&?%ex") for _ in range(draw.randrange(30)))


def typed(text: str) -> None:
    """Read it as steps, as options and as the query of an address."""
    try:
        found = parse_steps(text, 10)
        if found is not None and not all(0 <= step < 10 for step in found):
            raise Unnamed(f"{text!r} names steps that are not there: {found}")
    finally:
        parse_options(text)
        query = {"ex": text, "edit": text}
        index = example_of(query, 5)
        if index is not None and not 0 <= index < 5:
            raise Unnamed(f"{text!r} names an example that is not there: {index}")
        edit_of(query)


def made(fields: dict[str, Any]) -> None:
    """Make an edit of fields."""
    core.Edit(**fields)


def fields(draw: random.Random) -> dict[str, Any]:
    """Fields of one edit."""
    names = draw.sample(FIELDS[1:], draw.randrange(5))
    return {"kind": "zero"} | {n: SOUND[n] if draw.random() < 0.3 else value(draw) for n in names}


def kinds(folder: Path) -> list[Kind]:
    """The sorts of this file; a checkpoint of random weights is written into ``folder``."""
    called = Called(offered(folder))
    return [
        Kind("edit lists", called.edits, called, 4),
        Kind("arguments of endpoints", called.words, called, 4),
        Kind("steps, options, addresses", texts, typed, 12),
    ]
