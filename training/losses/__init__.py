"""Terms of the losses, and the objectives built from them."""
