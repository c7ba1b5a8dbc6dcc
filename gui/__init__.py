"""Everything a person sees. Calls :mod:`core`; holds no torch arithmetic."""
