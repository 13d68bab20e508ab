"""What the cases of run.py are made of: processes, peers, aims, rounds, the table."""
