"""A visit as a session file and back: what is on the screen, and every branch behind it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import IO, TYPE_CHECKING, Any

from gui.components.picture import data_uri
from gui.reading import kept_readings, take_readings
from gui.visits import Branch

if TYPE_CHECKING:
    from PIL import Image

    from core.records import Trace
    from core.records.archive import Session
    from gui.visits import Visit

LONGEST = 80  # characters of a branch's title


@dataclass
class Pictures:
    """The pictures a visit's runs were asked about, by fingerprint; each is hashed once."""

    by_hash: dict[str, Image.Image] = field(default_factory=dict)
    newest: Image.Image | None = None
    name: str = ""

    def take(self, image: Image.Image | None) -> str:
        """Remember the picture on the screen; its fingerprint, "" for none."""
        if image is None:
            return ""
        if image is not self.newest:
            from core.records.picture import fingerprint

            self.newest, self.name = image, fingerprint(image)
            self.by_hash[self.name] = image
        return self.name

    def keep(self, names: set[str]) -> dict[str, Image.Image]:
        """Forget the pictures no run needs; those that are left."""
        self.by_hash = {h: i for h, i in self.by_hash.items() if h in names or h == self.name}
        return dict(self.by_hash)


def pictures(visit: Visit) -> Pictures:
    """The visit's pictures."""
    if "pictures" not in visit.beside:
        visit.beside["pictures"] = Pictures()
    found: Pictures = visit.beside["pictures"]
    return found


def save_visit(
    visit: Visit,
    target: str | os.PathLike[str] | IO[bytes],
    model: str,
    family: str,
    link: str = "",
) -> None:
    """Write a visit as a ``.zscope`` file.

    Args:
        target: a path, replaced in one step, or a binary file.
        model: folder, hub id or short name of the model its runs belong to.
        family: that model's family.
        link: query string the tab was opened with.

    Raises:
        core.errors.RecordError: one sentence.
    """
    from core.records import save

    held = pictures(visit)
    shown = held.take(visit.image)
    branches = list(visit.branches.values())
    meta = {
        "page": 1,
        "model": model,
        "family": family,
        "link": link,
        "picture": shown,
        "asked": visit.asked,
        "options": list(visit.options),
        "example": visit.example,
        "titles": [b.title for b in branches],
        "depths": [b.depth for b in branches],
        "base": visit.base,
        "shown": visit.shown,
        "span": visit.span,
        "steps": list(visit.steps),
        "past": [list(pair) for pair in visit.past[-100:]],
        "future": [list(pair) for pair in visit.future[-100:]],
        "readings": kept_readings(visit),
        "trails": [
            [trace, span, [list(p) if p is not None else None for p in way]]
            for (trace, span), way in visit.beside.get("trails", {}).items()
            if trace in visit.branches
        ],
        "scores": {id: dict(s) for id, s in visit.scores.items() if id in visit.branches},
    }
    images = held.keep({b.trace.prompt.image_hash for b in branches})
    save(target, [b.trace for b in branches], images, meta)


def fill_visit(visit: Visit, session: Session, fresh: bool) -> None:
    """Put a session on a visit's screen; whatever its free-form part says is only believed
    where it fits the runs.

    Args:
        fresh: give the runs new ids, as a stranger's file may carry the ids of somebody's runs.

    Raises:
        core.errors.RecordError: when it holds no run.
    """
    from core.errors import RecordError

    if not session.traces:
        raise RecordError("This session holds no run; there is nothing to show.")
    names = {t.id: t.id for t in session.traces}
    traces = session.traces
    if fresh:
        traces, names = renamed(traces)
    meta = session.meta
    titles, depths = _list(meta, "titles"), _list(meta, "depths")
    visit.branches.clear()
    for i, trace in enumerate(traces):
        title = titles[i] if i < len(titles) and isinstance(titles[i], str) else ""
        depth = depths[i] if i < len(depths) and type(depths[i]) is int else len(trace.lineage)
        title = title[:LONGEST] or ("Baseline" if trace.parent is None else "Branch")
        visit.branches[trace.id] = Branch(trace, title, min(max(depth, 0), 64))
    first = traces[0].id
    visit.base = names.get(_text(meta, "base"), first)
    visit.shown = names.get(_text(meta, "shown"), visit.base)
    visit.past = _pairs(meta, "past", names)
    visit.future = _pairs(meta, "future", names)
    visit.scores = _scores(meta, names)
    visit.beside["readings"], visit.beside["trails"] = {}, _trails(meta, names)
    take_readings(visit, meta.get("readings"), names)
    visit.asked = _text(meta, "asked") or traces[0].prompt.question
    visit.options = tuple(o for o in _list(meta, "options") if isinstance(o, str))[:64]
    visit.example = None
    visit.span, visit.steps = 0, ()
    visit.patches = visit.pending = None
    _picture(visit, session, _text(meta, "picture"))
    shown = visit.edited or visit.baseline
    span, steps = meta.get("span"), _list(meta, "steps")
    if shown is not None and type(span) is int and 0 <= span < len(shown.spans):
        kept = {s for s in steps if type(s) is int and 0 <= s < len(shown.spans[span])}
        visit.span, visit.steps = span, tuple(sorted(kept))


def renamed(traces: tuple[Trace, ...]) -> tuple[tuple[Trace, ...], dict[str, str]]:
    """The runs under new ids, and old id → new id."""
    from core.records import new_id

    names = {t.id: new_id() for t in traces}
    return (
        tuple(replace(t, id=names[t.id], parent=names.get(t.parent or "")) for t in traces),
        names,
    )


def _picture(visit: Visit, session: Session, name: str) -> None:
    held = Pictures()
    held.by_hash.update(session.images)
    visit.beside["pictures"] = held
    base = visit.baseline
    image = session.images.get(name) or session.images.get(base.prompt.image_hash if base else "")
    visit.image, visit.uri = image, data_uri(image) if image is not None else ""
    if image is not None:
        held.newest = image
        held.name = next(h for h, i in session.images.items() if i is image)


def _list(meta: Mapping[str, Any], name: str) -> list[Any]:
    value = meta.get(name)
    return value if isinstance(value, list) else []


def _text(meta: Mapping[str, Any], name: str) -> str:
    value = meta.get(name)
    return value if isinstance(value, str) else ""


def _pairs(meta: Mapping[str, Any], name: str, names: Mapping[str, str]) -> list[Any]:
    return [
        (names[pair[0]], names[pair[1]])
        for pair in _list(meta, name)[-100:]
        if isinstance(pair, list)
        and len(pair) == 2
        and all(isinstance(i, str) and i in names for i in pair)
    ]


def _trails(meta: Mapping[str, Any], names: Mapping[str, str]) -> dict[tuple[str, int], Any]:
    """(row, column) of the patch each latent is nearest to, by (trace id, span)."""
    out: dict[tuple[str, int], Any] = {}
    for entry in _list(meta, "trails")[:1024]:
        try:
            trace, span, way = entry
            places = [None if p is None else (int(p[0]), int(p[1])) for p in way[:1024]]
            out[names[trace], int(span)] = places
        except (TypeError, ValueError, KeyError, IndexError):
            continue
    return out


def _scores(meta: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, dict[str, float]]:
    found = meta.get("scores")
    if not isinstance(found, dict):
        return {}
    return {
        names[id]: {o: float(s) for o, s in row.items() if isinstance(s, (int, float))}
        for id, row in found.items()
        if id in names and isinstance(row, dict)
    }
