"""HTTP: one client, with budgets, for mirrors and everything else that is fetched."""
