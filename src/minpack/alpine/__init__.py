"""Alpine: releases, repositories and packages."""
