"""A study as it runs: its driver, trials and their results, recovery, replication."""
