"""The load laboratory: real workers on a real PostgreSQL, real wallets over HTTP; load, chaos, growth and memory.

`make load`, `make chaos`, `make grow` and `make memory`; what each measures is in its module. Every process is started
as an operator would start it, N workers of a role listen on one port (SO_REUSEPORT: the kernel deals connections out),
and the jobs of a service are a process of their own.
"""
