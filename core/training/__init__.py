"""Trains the demo models and the instrument's control models.

    from core import training

    training.train("faithful")            # half an hour on one CPU thread; resumes
    training.VARIANTS["faithful"].truth   # what is known of it by construction

One trainer, the variants as configurations (`variants.py`). `recipe.py` is the way in; `network.py`
the shape, `vision.py` the common tower, `objective.py` what is taught, `measure.py` and `card.py`
what a shipped model's card says.
"""

from core.training.recipe import train, variant_of
from core.training.variants import VARIANTS, Variant

__all__ = ["VARIANTS", "Variant", "train", "variant_of"]
