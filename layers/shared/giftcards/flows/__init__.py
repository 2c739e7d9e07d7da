"""What the system does, one use case a file, each a verb a shopkeeper would say."""
