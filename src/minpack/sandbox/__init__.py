"""Running a program in a tree of files of its own: namespaces and mounts, as container runtimes make them."""
