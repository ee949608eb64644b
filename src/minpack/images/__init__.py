"""What one does with a finished image, wherever it is and whoever made it."""
