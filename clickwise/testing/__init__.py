"""What tests and benchmarks need beside the program: real services and shared builders."""
