"""Reading the user's programs and placing the user's own files."""
