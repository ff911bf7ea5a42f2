"""The plans of the OpenID Foundation's conformance suite, run against the three services as they are shipped."""
