"""The address that `kdcourse.stats.calibration` had once."""

from kdcourse.stats.calibration import expected_calibration_error, fit_temperature, reliability

__all__ = ["expected_calibration_error", "fit_temperature", "reliability"]
