"""Which trainings of a grid count, and how much, by what they say of rows: numbers alone."""
