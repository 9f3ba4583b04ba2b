"""Migration: a workspace that lies elsewhere now, and studies that go from one tracking server to another.

An archive is a tar file with a record per run and per logged model, their files, and a manifest with the SHA-256 of
each. It is unpacked and found whole before anything is written; what an import was killed at, the next one finishes.
"""
