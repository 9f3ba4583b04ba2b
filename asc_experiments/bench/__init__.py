"""What this program costs on this machine, beside the plain way and beside what the machine could do at best."""
