"""System `pills`: oral drugs on photographs, found and named (AI-Hub 576)."""
