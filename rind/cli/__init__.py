"""The command line: a thin translation into the library's terms."""
