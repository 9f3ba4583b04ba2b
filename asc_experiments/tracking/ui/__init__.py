"""MLflow's pages: the server that shows them, and the table that one compares by."""
