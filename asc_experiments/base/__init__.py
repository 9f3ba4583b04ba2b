"""What every layer may use: errors, progress, content hashes, downloads, strict settings, process ownership."""
