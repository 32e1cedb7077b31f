"""A run on many machines before there are any: how long it takes, what it costs, what a death costs."""
