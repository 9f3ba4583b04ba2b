"""The connection to the tracking server: runs, files, retries, and the limits of its stores."""
