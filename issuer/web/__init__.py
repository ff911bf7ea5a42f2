"""The pages of the issuer: templates, texts in four languages, and the routes that serve them."""
