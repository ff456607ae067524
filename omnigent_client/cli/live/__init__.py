"""A session as it is watched: what its events say, how that is drawn, and the room to type in."""
