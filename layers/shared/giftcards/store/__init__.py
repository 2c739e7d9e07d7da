"""What we remember between runs, in DynamoDB."""
