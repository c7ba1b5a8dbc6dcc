"""Atlas: where the latents lie, how alike they are, and what a bank says is normal.

``tab`` ties the widgets of ``layout`` to the handlers: ``mapped`` the map, ``likeness`` the
matrix and the grid, ``banked`` the bank, ``selected`` the points a person takes. Each finds its
visitor through :class:`gui.atlas.view.Visitors` and answers with values for its own widgets.
"""

from gui.atlas.tab import Atlas

__all__ = ["Atlas"]
