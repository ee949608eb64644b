"""Libraries that a base lacks, from the repositories of signed packages that it names."""
