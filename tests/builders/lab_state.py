"""Where tests keep the labs that they borrow; each has ports and a folder of its own there."""

from __future__ import annotations

from pathlib import Path

STATE = Path(__file__).resolve().parents[2] / ".lab-test"
