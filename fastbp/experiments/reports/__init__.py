"""What each report trains, draws and claims, as data."""

from .report_a import REPORT_A as REPORT_A
from .report_b import REPORT_B as REPORT_B
