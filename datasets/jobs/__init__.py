"""Jobs: what waits for time. Each is leased in the database, so that one process of all machines does it at a time.

Owns the leases and when a job is due. Refuses nothing of its own: whatever a job raises is logged by its class, and the
job is tried again. No state depends on a job having run; jobs only clean up and tell.
"""
