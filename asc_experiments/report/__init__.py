"""Tables and plots from the tracking server alone."""
