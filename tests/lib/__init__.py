# SPDX-License-Identifier: MIT
"""What tests/run is made of."""
