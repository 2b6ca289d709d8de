"""The one way to write a page, and the base of all of them."""
