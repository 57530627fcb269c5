"""The address that `kdcourse.data.spam_assassin` had once."""

from kdcourse.data.spam_assassin import CLASS_NAMES, COLUMNS, FEATURES, SPLITS, hashed_features, read_mails

__all__ = ["CLASS_NAMES", "COLUMNS", "FEATURES", "SPLITS", "hashed_features", "read_mails"]
