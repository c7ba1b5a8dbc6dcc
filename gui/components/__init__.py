"""The parts of the page that Gradio does not have: HTML from Python, behaviour from local JS.

Every function that makes HTML escapes what a person or a model wrote; the scripts only read
``data-*`` attributes and never build HTML from text.
"""
