"""What the house tells about itself.

logs      one event a line, with the request's identity, never a secret
metrics   every metric, named once; exposition: how they leave the process
health    what readiness means
doctor    whether this machine and these servers can run Hotpass
"""
