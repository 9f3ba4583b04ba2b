"""What every layer may use: errors, progress, content hashes, strict settings, process ownership."""
