"""The issuer: an OpenID4VCI credential issuer, authorization server and status list provider that an agency runs."""
