# SPDX-License-Identifier: MIT
"""The labs' engine: markers, handouts, grades, and the proof that the grades mean something."""
