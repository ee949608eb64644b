"""One call of libc fails, in every way and at every place, and what a command leaves behind is looked at."""
