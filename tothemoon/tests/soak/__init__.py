"""The long trials: kill -9 of both workers under load, judged from outside by what was sent and what is in the tables."""
