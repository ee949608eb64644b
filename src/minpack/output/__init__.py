"""Where results go: archive, layout, tar, directory, engine."""
