"""Studies: strict study files, the search space, trials, and the driver that survives being killed."""
