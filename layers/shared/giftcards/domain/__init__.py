"""What a gift card, an amount and an answer are. Pure: standard library only, no clock."""
