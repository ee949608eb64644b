"""The tree being made: its entries, the /etc files of minpack's own, and writing it to a directory."""
