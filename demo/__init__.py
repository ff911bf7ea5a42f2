"""A demonstration: an imaginary municipality, two services and a citizen."""
