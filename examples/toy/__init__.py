"""A system to copy: grey squares, and how bright they are; `README.md` says how."""
