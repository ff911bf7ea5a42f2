"""What byoid's operations cost, in multiples of one signature verification. `python -m benchmarks`."""
