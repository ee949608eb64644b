"""From programs and a base to closures."""
