"""Sales: placeholder until the redemptions run."""
STORIES: dict = {}
PROMISES: tuple = ()
SETTLERS: dict = {}
