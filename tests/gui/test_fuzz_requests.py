"""Whatever a program sends, it gets an answer or one sentence; nothing else ever comes out.

``ZSCOPE_FUZZ=50000`` tries that many inputs of each sort; without it the run is short and the
same every time.
"""

import base64
import io
import os
from types import SimpleNamespace

import pytest
from gradio import Error
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import core
from core.edits import kinds
from core.engine.pictures import read_picture
from core.errors import ImageError, ZscopeError
from core.records import Edit
from gui.bounds import Bounds
from gui.endpoints import Endpoints
from gui.errors import GuiError
from gui.steps import StepsError, parse_steps
from gui.workshop import Workshop
from tests.core.engine import tiny

INPUTS = int(os.environ.get("ZSCOPE_FUZZ", "0"))
fuzzed = settings(
    max_examples=INPUTS or 50,
    derandomize=not INPUTS,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
OURS = (ZscopeError, GuiError, StepsError)
ANYTHING = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12),
        st.sampled_from([10**30, -1, 2**63, "\x00", "<script>", "../x", "nan", "zero", [[[]]]]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)  # fmt: skip
FIELD = st.sampled_from([
    "kind", "steps", "span", "mode", "seed", "dose", "angle", "fraction", "renorm", "order",
    "count", "token", "patch", "text", "layers", "part", "values", "donor", "spell",
])  # fmt: skip
NAMES = st.sampled_from([*(kind.name for kind in kinds()), "nothing", ""])
EDIT = st.one_of(
    ANYTHING, st.builds(lambda kind, more: {"kind": kind} | more, NAMES,
                        st.dictionaries(FIELD.filter(lambda f: f != "kind"), ANYTHING, max_size=3)),
)  # fmt: skip


def picture(size=(5, 4), mode="RGB", kind="PNG") -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, kind)
    return out.getvalue()


SEEDS = [picture(kind=k) for k in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")]


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    folder = tiny.write_checkpoint(tmp_path_factory.mktemp("tiny"), "monet", seed=3)
    items = [
        SimpleNamespace(
            image=tiny.picture(i), question="What colour is the star?", options=("red", "blue"),
            answer="red", task="attribute",
        )
        for i in range(2)
    ]  # fmt: skip
    shop = Workshop(lambda: core.load(folder, family="monet", device="cpu"), lambda: items)
    shop.warm()
    assert shop.ready, shop.failure

    class Shelf:
        name, gallery, models = "stand-in", shop.items, {}

        def get(self, name):
            return shop

    found = Endpoints(Shelf(), Bounds.hosted())
    found.answering.models = lambda: ["stand-in"]
    found.shop = shop
    return found


def well(call):
    """An answer, or one sentence that speaks of no mistake of ours."""
    try:
        call()
    except (*OURS, Error) as error:
        said = str(getattr(error, "message", error))
        assert "inside Zscope" not in said, said
        assert len(said) < 600
        assert "\n" not in said


@fuzzed
@given(edits=st.one_of(st.lists(EDIT, max_size=3), ANYTHING))
def test_edit_lists(api, edits):
    well(lambda: api.branch(example=1, edits=edits, force=True, max_new_tokens=14))
    assert len(api.shop.line) == 0
    assert len(api.shop.engine.store) <= len(api.shop.items)


@fuzzed
@given(fields=st.dictionaries(FIELD, ANYTHING, max_size=5))
def test_edits_themselves(fields):
    fields.pop("spell", None)
    try:
        Edit(**{"kind": "zero"} | fields)
    except (ZscopeError, TypeError, ValueError):
        return


@fuzzed
@given(
    seed=st.sampled_from(SEEDS), at=st.integers(0, 400), put=st.binary(max_size=12),
    cut=st.integers(0, 400), whole=st.booleans(), noise=st.binary(max_size=60),
)  # fmt: skip
def test_pictures(seed, at, put, cut, whole, noise):
    data = noise if not whole else (seed[:at] + put + seed[at + len(put) :])[: len(seed) - cut % 40]
    try:
        found = read_picture(data, 10_000)
    except ImageError:
        return
    assert found.mode == "RGB"
    assert found.width * found.height <= 10_000


@fuzzed
@given(text=st.one_of(st.text(max_size=40), st.binary(max_size=40).map(base64.b64encode)))
def test_pictures_in_a_payload(api, text):
    image = text.decode() if isinstance(text, bytes) else text
    well(lambda: api.run(image=image, question="What?", max_new_tokens=4))


@fuzzed
@given(text=st.text(max_size=30), count=st.integers(0, 40))
def test_steps_as_people_write_them(text, count):
    try:
        found = parse_steps(text, count)
    except StepsError:
        return
    assert found is None or all(0 <= step < count for step in found)
