"""Jobs of any sizes, as a scheduler may meet them."""

from hypothesis import strategies as st

from core.engine.packing import Load


def loads(most_rows: int = 1) -> st.SearchStrategy[list[Load]]:
    """Lists of jobs of up to so many rows each, of which some share their prompts."""
    shares = st.one_of(st.none(), st.integers(0, 3))
    one = st.builds(
        Load, st.integers(1, most_rows), st.integers(1, 900), st.integers(1, 90), shares
    )
    return st.lists(one, max_size=30)
