"""Named sets of arms.

``quick`` asks every question of the verdict once. ``published`` repeats the published analysis
(inputs changed, latents changed, latents as the only visual input) with the controls it lacked.
``full`` adds doses, modes, loci and graded inputs. Arms that do not fit a model's family (slots
of a model that imagines in words) are left out by :func:`preset`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from core.errors import InputError
from core.families import Family
from core.study.arms import TRANSPLANT, Arm, Input, Latent, with_base

COUNTERFACTUAL = Input("counterfactual")
BLANK = Input("blank")
NOISE = Latent("gaussian", dose=1.0, renorm=True)
NO_IMAGE = Input("no image")

IDENTITY = Arm(
    "identity", "identity", z=(Latent("identity"),), says="the latents fed back unchanged"
)
INPUTS = (
    Arm(
        "input changed",
        "input",
        x=COUNTERFACTUAL,
        says="the picture in which one thing differs and the answer with it (another item's "
        "picture where there is none), latents free: the total effect",
    ),
    Arm("blank picture", "blind", x=BLANK, says="mid grey instead of the picture, latents free"),
)
CROSSED = (
    Arm(
        "own input, latents of the changed",
        "mediation",
        x=COUNTERFACTUAL,
        z=(Latent(TRANSPLANT),),
        donor="x",
        says="the item as it is with the imagination of the changed input: the natural indirect "
        "effect",
    ),
    Arm(
        "changed input, own latents",
        "mediation",
        x=COUNTERFACTUAL,
        parent="x",
        z=(Latent(TRANSPLANT),),
        donor="base",
        says="the changed input with the item's own imagination: the natural direct effect",
    ),
    Arm(
        "blank picture, own latents",
        "mediation",
        x=BLANK,
        parent="x",
        z=(Latent(TRANSPLANT),),
        donor="base",
        force=True,
        says="no picture, but the imagination the picture gave",
    ),
)
SWAPS = (
    Arm(
        "swap, other answer",
        z=(Latent(TRANSPLANT),),
        donor="other answer",
        says="the imagination of an item at whose evidence this question has another answer",
    ),
    Arm(
        "swap, same answer",
        "sham",
        z=(Latent(TRANSPLANT),),
        donor="same answer",
        says="the imagination of another item at whose evidence the answer is the same: equal "
        "surgery, nothing to follow",
    ),
)
LATENT = (
    Arm("noise", z=(NOISE,), says="Gaussian noise as long as the latent itself, length kept"),
    Arm("step mean", z=(Latent("step_mean"),), says="the mean of that step over other items"),
)
SLOT = (
    Arm(
        "own input, slots of the changed",
        x=COUNTERFACTUAL,
        z=(Latent("slot", mode="cached"),),
        donor="x",
        says="keys and values of the latent slots as they are on the changed input: what the "
        "slots compute moves, one thing in the picture differing",
    ),
    Arm(
        "changed input, own slots",
        "mediation",
        x=COUNTERFACTUAL,
        parent="x",
        z=(Latent("slot", mode="cached"),),
        donor="base",
        says="the changed input with the item's own keys and values in the latent slots: what "
        "goes past the slots",
    ),
)
EDGES = (
    Arm(
        "answer blind to latents",
        z=(Latent("knockout", source="answer", target="latents"),),
        says="every edge of attention from the answer to the imagination cut",
    ),
)
PRESENCE = (
    Arm("markers only", z=(Latent("markers"),), says="start and end token, no latent between"),
    Arm("no span", z=(Latent("delete"),), says="the span and its markers taken away"),
)
STRESS = (Arm("zero", z=(Latent("zero"),), declared=False, says="zeros: off the manifold"),)
CONTROLLED = (
    Arm(
        "changed input, step mean",
        "mediation",
        x=COUNTERFACTUAL,
        parent="x",
        z=(Latent("step_mean"),),
        says="the changed input with every latent at its step's mean: beside “step mean” on the "
        "item itself, the controlled direct effect",
    ),
)
WORDED = (
    Arm("answer at once", "reference", words="none", declared=False,
        says="the item's own latents, the answer opened right behind them"),
    Arm("swap, words held", "words", z=(Latent(TRANSPLANT),), donor="other answer",
        words="held", declared=False,
        says="the donor's latents, then the item's own words: past the words"),
    Arm("swap, answer at once", "words", z=(Latent(TRANSPLANT),), donor="other answer",
        words="none", declared=False,
        says="the donor's latents, the answer opened right behind them: no words at all"),
    Arm("noise, words held", "words", z=(NOISE,), words="held", declared=False,
        says="noise, then the item's own words"),
    Arm("noise, answer at once", "words", z=(NOISE,), words="none", declared=False,
        says="noise, the answer opened right behind it"),
)  # fmt: skip
IN_WORDS = (
    Arm(
        "identity",
        "identity",
        z=(Latent(TRANSPLANT),),
        donor="base",
        says="the model's own sentence written in its place",
    ),
    Arm("filler", z=(Latent("text", text="..."),), says="three dots instead of the sentence"),
)
PROBES = (
    Arm("question alone", "probe", x=NO_IMAGE, force=True, says="no picture, latents free"),
    Arm(
        "latents alone",
        "probe",
        x=NO_IMAGE,
        parent="x",
        z=(Latent(TRANSPLANT),),
        donor="base",
        force=True,
        says="no picture: the item's own latents are the only visual input",
    ),
    Arm(
        "others' latents alone",
        "probe",
        x=NO_IMAGE,
        parent="x",
        z=(Latent(TRANSPLANT),),
        donor="any",
        force=True,
        says="no picture, another item's latents",
    ),
)
PUBLISHED = (
    Arm("same tensor", z=(Latent("shared"),), says="one tensor for all steps and items"),
    Arm(
        "noise added",
        z=(Latent("gaussian", dose=1.0),),
        says="Gaussian noise added, as long as the latent",
    ),
    Arm("noise instead", z=(Latent("rotate", angle=90.0),), says="a random vector of its length"),
    Arm("zero", z=(Latent("zero"),), says="zeros: off the manifold"),
)
DOSES = tuple(
    Arm(f"noise {dose:g}", "dose", z=(Latent("gaussian", dose=dose),), declared=False)
    for dose in (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
)
MORE = (
    Arm("noise, pinned", z=(Latent("gaussian", dose=1.0, renorm=True, mode="pinned"),)),
    Arm("noise, cached", z=(Latent("gaussian", dose=1.0, renorm=True, mode="cached"),)),
    Arm(
        "swap, other answer, pinned",
        z=(Latent(TRANSPLANT, mode="pinned"),),
        donor="other answer",
    ),
    Arm("swap, other task", z=(Latent(TRANSPLANT),), donor="other task"),
    Arm("global mean", z=(Latent("global_mean"),)),
    Arm("resample", z=(Latent("resample"),)),
    Arm("same for all", z=(Latent("shared"),)),
    Arm("halfway to the donor", z=(Latent("slerp", fraction=0.5),), donor="other answer"),
    Arm("permute", z=(Latent("permute"),)),
    Arm("first repeated", z=(Latent("repeat_first"),)),
    Arm("filler", z=(Latent("filler"),)),
    Arm("answer blind to picture", z=(Latent("knockout", source="answer", target="image"),)),
    Arm("latents blind to picture", z=(Latent("knockout", source="latents", target="image"),)),
    Arm("one latent", z=(Latent("truncate", count=1),)),
    Arm("span forbidden", z=(Latent("forbid"),)),
    Arm(
        "slots, keys",
        x=COUNTERFACTUAL,
        z=(Latent("slot", part="keys", mode="cached"),),
        donor="x",
    ),
    Arm(
        "slots, values",
        x=COUNTERFACTUAL,
        z=(Latent("slot", part="values", mode="cached"),),
        donor="x",
    ),
    Arm("slots, other answer", z=(Latent("slot", mode="cached"),), donor="other answer"),
    Arm("slots, same answer", z=(Latent("slot", mode="cached"),), donor="same answer"),
)
GRADED = (
    *(Arm(f"blur {s:g}", "input", x=Input("blur", s)) for s in (0.01, 0.03, 0.1)),
    *(Arm(f"pixel noise {s:g}", "input", x=Input("noise", s)) for s in (0.05, 0.2, 0.5)),
    *(Arm(f"downscale {s:g}", "input", x=Input("downscale", s)) for s in (2.0, 4.0, 8.0)),
    Arm("shuffled tiles", "input", x=Input("shuffle", 4.0)),
    Arm("evidence hidden", "input", x=Input("evidence")),
    Arm("equal box elsewhere", "input", x=Input("elsewhere")),
    Arm("another picture", "input", x=Input("swap image")),
    Arm("another question", "input", x=Input("swap question")),
)


def _quick(family: Family) -> tuple[Arm, ...]:
    if family.latent:
        return (
            IDENTITY, *INPUTS, *CROSSED, *SWAPS, *LATENT, *SLOT, *EDGES, *PRESENCE, *STRESS,
            *CONTROLLED,
        )  # fmt: skip
    return (*IN_WORDS, *INPUTS, *CROSSED[:2], *EDGES) if family.imagines_in_words else INPUTS


def _published(family: Family) -> tuple[Arm, ...]:
    arms = (*INPUTS, Arm("another item's input", "input", x=Input("swap both"), declared=False))
    if family.latent:
        return (
            IDENTITY, *arms, *CROSSED, *SWAPS, *PUBLISHED, *SLOT, *EDGES, *PRESENCE, *PROBES,
            *WORDED,
        )  # fmt: skip
    return (*IN_WORDS, *arms, *CROSSED[:2], *EDGES) if family.imagines_in_words else arms


def _full(family: Family) -> tuple[Arm, ...]:
    explored = tuple(_exploratory(arm) for arm in (*MORE, *GRADED))
    if family.latent:
        return (*_quick(family), *PROBES, *WORDED, *DOSES, *explored)
    return (*_quick(family), *(_exploratory(arm) for arm in GRADED))


def _exploratory(arm: Arm) -> Arm:
    return replace(arm, declared=False)


PRESETS: dict[str, tuple[str, Callable[[Family], tuple[Arm, ...]]]] = {
    "quick": ("every question of the verdict, once", _quick),
    "published": ("the published analysis with the controls it lacked", _published),
    "full": ("doses, modes, loci, graded inputs and probing as well", _full),
}


INSIDE = {"published": 12, "full": 24}
"""Items that are changed step by step, see :attr:`core.study.design.Design.inside`."""


def preset(name: str, family: Family) -> tuple[Arm, ...]:
    """The arms of a preset that fit a family, the base first.

    Raises:
        InputError: an unknown name.
    """
    if name not in PRESETS:
        raise InputError(f"There is no preset “{name}”; choose of {', '.join(PRESETS)}.")
    return with_base(PRESETS[name][1](family))


def inside_of(name: str) -> int:
    """Items whose steps, layers and edges a preset changes one at a time."""
    return INSIDE.get(name, 0)
