"""The endpoints as a program calls them, through gradio's own client."""

import base64
import io

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from gui import app
from tests.gui.fake_engine import KINDS, FakeEngine, gallery, painted

pytestmark = pytest.mark.filterwarnings(
    # gradio sums up its queue's timings with a pandas option that pandas 3 calls outdated.
    "ignore:The copy keyword is deprecated"
)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    options = app.Options(port=None, model="stand-in")
    nothing = tmp_path_factory.mktemp("models")
    page = app.build(options, lambda _: FakeEngine(), gallery, lambda: KINDS, nothing)
    address = app.launch(page, options)
    page.workshop.start()
    assert page.workshop.done.wait(60)
    yield Client(address, verbose=False)
    page.close(verbose=False)


def test_what_there_is_to_ask(client):
    (model,) = client.predict(api_name="/models")
    assert model == {"name": "stand-in", "about": "", "loaded": True, "family": "fake"}
    examples = client.predict(api_name="/examples")
    assert [e["answer"] for e in examples] == ["red", "green", "blue", "yellow"]


def test_a_question_about_a_picture(client):
    data = io.BytesIO()
    painted("green").save(data, "PNG")
    for prefix in ("", "data:image/png;base64,"):
        said = client.predict(
            image=prefix + base64.b64encode(data.getvalue()).decode(),
            question="What is it?",
            latents=True,
            api_name="/run",
        )
        assert said["answer"] == "green"
    (span,) = said["spans"]
    assert (len(span["latents"]), len(span["latents"][0])) == (6, 48)


def test_an_edit_and_its_receipt(client):
    said = client.predict(
        example=1,
        edits=[{"kind": "swap", "donor": 3}, {"kind": "gaussian", "steps": [1], "dose": 0.5}],
        api_name="/branch",
    )
    assert (said["baseline"]["answer"], said["edited"]["answer"]) == ("red", "blue")
    assert said["verdict"] == "flipped"
    assert [r["kind"] for r in said["receipts"]] == ["swap", "gaussian"]
    assert [d["step"] for d in said["receipts"][1]["doses"]] == [1]
    scores = client.predict(
        ["red", "blue"], example=1, edits=[{"kind": "swap", "donor": 3}], api_name="/score"
    )
    assert scores["blue"] > scores["red"]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ({"question": "x", "model": "/etc"}, "There is no model “/etc”"),
        ({"question": ""}, "type a question"),
        ({"question": "x", "image": "http://127.0.0.1/x.png"}, "must be base64"),
        ({"question": "x", "image": "aGVsbG8="}, "not a picture"),
        ({"example": 9}, "There are 4 examples"),
    ],
)
def test_mistakes_are_one_sentence(client, call, sentence):
    with pytest.raises(AppError, match=sentence):
        client.predict(**call, api_name="/run")


@pytest.mark.parametrize(
    ("edits", "sentence"),
    [
        ([], "1 to 64 edits"),
        ([{"steps": [1]}], "at least a kind"),
        ([{"kind": "zero", "__class__": 1}], "no field “__class__”"),
        ([{"kind": "zero", "mode": "sideways"}], "Mode “sideways” is unknown"),
        ([{"kind": "swap", "donor": "1"}], "number of a built-in example"),
        ([{"kind": "zero", "steps": [99]}], "choose among them"),
    ],
)
def test_edits_that_make_no_sense_are_one_sentence(client, edits, sentence):
    with pytest.raises(AppError, match=sentence):
        client.predict(example=1, edits=edits, api_name="/branch")


def test_nothing_else_of_the_page_can_be_called(client):
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == {"/models", "/examples", "/run", "/branch", "/score"}
    described = [named["/branch"]["parameters"][i]["parameter_name"] for i in range(4)]
    assert described == ["image", "question", "edits", "example"]
