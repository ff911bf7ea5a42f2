"""The wallet's pages and their API."""
