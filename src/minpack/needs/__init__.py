"""What a program needs at run time besides its libraries."""
