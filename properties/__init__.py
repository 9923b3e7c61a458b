"""What checks them."""
