"""What a program does in one run, and what follows for its image."""
