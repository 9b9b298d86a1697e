"""All clients of a server together: topics, filters, and publishing with one encoding for many clients."""
