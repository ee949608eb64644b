"""The named bases that minpack knows: releases, their sums, layouts and support."""
