"""Used by every other part: records, quoting, waiting for descriptors."""
