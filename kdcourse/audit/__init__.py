"""Sliced evaluation: where a student loses what its teacher knows, and what to do about it.

report = audit(labels, teacher, student, {"group": groups}, max_gap=0.03)
report.flagged         # the slices where the loss is shown to exceed max_gap
"""

from kdcourse.audit.core import audit
from kdcourse.audit.report.core import AuditReport
from kdcourse.audit.several import AuditReports, audit_all

__all__ = ["AuditReport", "AuditReports", "audit", "audit_all"]
