"""Names of the devices that are no boards."""

HOST = "host"  # this machine
CHROMIUM = "chromium"  # a browser: its verdict comes from statistics, as a file's does
