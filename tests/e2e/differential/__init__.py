"""Compares a server with Redis 7.0, command by command.

steps.py runs the same steps on both, rules.py says what may differ, generator.py invents steps,
table.py reads hand-written ones, shrink.py makes a failing sequence short.
"""
