"""Where files come from: read-only trees behind one small interface."""
