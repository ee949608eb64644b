"""What is said about an image and by whom: statements, signatures and the keys that they are made with."""
