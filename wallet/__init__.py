"""The wallet: citizens keep their credentials and decide what is shown to whom."""
