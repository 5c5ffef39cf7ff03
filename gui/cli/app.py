"""`tapescope` without a command: the app's welcome page; without a display, the default demo trained and drawn."""

import argparse

from tracer.display import has_display

NAME = "app"
HELP = "open the app"


def configure(parser: argparse.ArgumentParser) -> None:
    pass


def run(args: argparse.Namespace) -> int:
    if not has_display():
        from gui.headless import run_demo

        print("No display here: training the demo and drawing it to files instead of opening the app.", flush=True)
        return run_demo()
    from gui.application import run_app

    return run_app()
