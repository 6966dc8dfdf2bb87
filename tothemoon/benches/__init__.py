"""The measured claims: each bench has both sides in it, run in turn in one process, and prints the medians."""
