"""What it takes to run Clickwise beyond one folder: nothing here is imported by the program."""
