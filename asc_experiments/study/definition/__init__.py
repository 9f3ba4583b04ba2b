"""What a person wrote: the study file, its ranges and ensembles, and the studies that come with the program."""
