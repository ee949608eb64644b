"""Images that are written down: a change of any byte shows in a difference that people can read."""
