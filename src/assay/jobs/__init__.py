"""One training, from its preflight to its record."""
