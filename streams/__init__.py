"""The event door: handlers, and the two engines that run them."""
