"""What the tasks of pills learn by: scores of found boxes, and what stands beside them."""
