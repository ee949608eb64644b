"""Fixtures that need what a machine may not have."""

from __future__ import annotations

from support.docker import docker

__all__ = ["docker"]
