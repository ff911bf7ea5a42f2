"""OAuth 2.0 as OpenID4VCI needs it: one file for each RFC or draft, for both sides."""
