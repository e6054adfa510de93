"""The Jupyter Server extension: HTTP in front of the services, and nothing else."""

from __future__ import annotations
