"""Coverage-guided fuzzing of what reads files that others made."""
