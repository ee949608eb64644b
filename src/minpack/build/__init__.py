"""The stages in order, one module for each thing that minpack does."""
