"""System `spectra`: metasurface structures and their spectra on a Bayer cell."""
