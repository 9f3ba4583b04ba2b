"""What the runs of a study say: the best trial, its margin, what teachers gave, what it cost."""
