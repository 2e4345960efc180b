"""Published models on devices whose runtime is another's."""
