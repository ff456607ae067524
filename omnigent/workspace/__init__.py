"""Operations on the files below one directory that cannot be led out of it: no Django, no sockets, no tasks.

The runner and the host use it on threads; a process in a sandbox runs it as a program (`worker`).
"""
