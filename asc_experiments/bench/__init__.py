"""What this program costs on this machine, beside the baseline and beside what the machine could do at best."""
