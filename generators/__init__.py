"""Writes the files that are generated from the code. The tests fail while one of them is out of date."""
