"""Registries (distribution-spec): their names, credentials and tokens, and one client for all that is asked of them."""
