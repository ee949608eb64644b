"""Layers between two runs and between two stages: kept ones, and one that is made ahead."""
