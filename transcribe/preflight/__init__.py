"""`manage.py preflight`: whether this process would find all that it needs, and what to do where it would not.

What each thing is asked is what the service itself will ask of it: a file is written, a name is looked up, a process is
shut in. Nothing is left behind, and no secret is printed.
"""
