"""The functions of the public library: `minpack` exports them, and checks of their arguments say what to write."""
