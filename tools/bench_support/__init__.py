"""The parts of tools/bench: servers.py starts them, load.py loads them, report.py prints."""
