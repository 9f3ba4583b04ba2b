"""Where trials are kept: a journal, a database that hosts share, and how far a study has come."""
