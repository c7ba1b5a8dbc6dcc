"""A wish the page cannot fulfil. Needs the standard library alone, as the launcher does."""


class GuiError(Exception):
    """Something a person asked for that the page cannot do; the message is one sentence."""
