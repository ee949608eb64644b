"""The files that needs bring: taken from the base when it has them, else from minpack's own data."""
