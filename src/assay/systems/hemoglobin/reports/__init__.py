"""What fusion reports of itself, beside its scores."""
