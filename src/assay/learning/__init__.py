"""The learning core: torch, lightning, timm, torchmetrics and numpy alone; one room a system below it."""
