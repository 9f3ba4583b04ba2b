"""What a report is made from: the runs of a study, read from the tracking server."""
