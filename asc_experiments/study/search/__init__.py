"""Which trial comes next: the search space, its parameters, and the samplers."""
