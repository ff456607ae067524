"""Vendors' terminal programs as harnesses: started in tmux, typed into, mirrored from their transcripts."""
