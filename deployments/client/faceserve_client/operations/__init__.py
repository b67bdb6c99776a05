"""Every operation as a function that makes its call. The clients' methods have its parameters and docstring."""
