"""What the three services share: storage, HTTP, settings, errors, jobs, logs and limits. Not pure (extra `service`)."""
