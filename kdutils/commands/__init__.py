"""The `kdutils` commands, a module a group; `kdutils.cli` lists them."""
