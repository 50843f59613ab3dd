"""The command side: users in normal form in PostgreSQL, their events, and the work still pending."""
