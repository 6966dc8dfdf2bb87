"""What a clock that was ahead has left in the tables, found and taken out again: the command `forget_ahead`."""
