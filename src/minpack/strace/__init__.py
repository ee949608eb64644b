"""Logs of strace: what the processes in them opened, executed and connected to. Usable alone."""
