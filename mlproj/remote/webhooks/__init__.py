"""Tell: webhooks are sent to addresses that somebody gave, and to none that is a danger."""
