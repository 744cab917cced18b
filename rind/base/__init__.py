"""What every other part uses: records, quoting, waiting for descriptors."""
