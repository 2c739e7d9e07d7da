"""A card's code: what staff type, cleaned; how it is shown; how it is found again."""
