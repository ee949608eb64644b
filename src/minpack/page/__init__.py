"""The page about a finished image that `minpack report` writes: one file that loads nothing."""
