"""What an ordinary task is made of: a class for what it is, a learner for its network."""
