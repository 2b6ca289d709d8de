"""Data of the toy system."""

SYSTEMS = {"toy": "squares:TOY"}
