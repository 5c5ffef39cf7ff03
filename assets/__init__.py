"""Icons, demos and data that ship with the program; reach them with `importlib.resources.files("assets")`."""
