"""What an audit says: tables, figure, pages, what it was made from, and what has changed since an earlier one."""
