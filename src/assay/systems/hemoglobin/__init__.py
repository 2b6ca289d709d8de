"""System `hemoglobin`: Hb (g/dL) from nail and conjunctiva photographs."""
