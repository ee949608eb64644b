"""Images that other machines build: the files of this host that they are made of, on their way there."""
