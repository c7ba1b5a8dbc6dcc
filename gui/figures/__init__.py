"""Numbers → plotly figure dictionaries, as pure functions; the page's script adds the theme."""
