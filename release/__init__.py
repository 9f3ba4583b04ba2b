"""What a release is checked with: not part of the package."""
