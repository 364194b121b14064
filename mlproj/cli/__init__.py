"""The entrance for terminals: parse, call one service, render."""
