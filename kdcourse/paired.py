"""The address that `kdcourse.stats.paired` had once."""

from kdcourse.stats.paired import examples_needed, gap_interval, gap_p_values, t_interval, t_p_values

__all__ = ["examples_needed", "gap_interval", "gap_p_values", "t_interval", "t_p_values"]
