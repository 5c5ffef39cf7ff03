"""The `tapescope` command: finds the sub-command's file, reads its arguments, turns errors into one sentence."""

import argparse
import os
import sys
from collections.abc import Sequence

from tracer.errors import ControlError, TapescopeError
from tracer.plugins import load, names
from tracer.terminal import say

_PACKAGES = ("tracer.cli", "gui.cli")
_DEFAULT = "app"
_HIDDEN = {_DEFAULT}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0 done, 1 something failed, 2 bad usage or bad input."""
    words = list(sys.argv[1:] if argv is None else argv)
    commands = names(*_PACKAGES)
    if not words:
        words = [_DEFAULT]
    wanted = [words[0]] if words[0] in commands else sorted(set(commands) - _HIDDEN)
    parser = _parser({name: commands[name] for name in wanted}, sorted(set(commands) - _HIDDEN))
    args = parser.parse_args(words)
    if hasattr(sys.stdout, "reconfigure") and args.command != "run":
        sys.stdout.reconfigure(errors="replace")
    try:
        code = int(args.run(args))
        if args.command != "run" and sys.stdout is not None:
            sys.stdout.flush()
        return code
    except TapescopeError as error:
        say(f"tapescope: {error}", to=sys.stderr)
        return 1 if isinstance(error, ControlError) else 2
    except BrokenPipeError:  # `| head` has seen enough; Python would fail again when it flushes at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser(modules: dict[str, str], known: list[str]) -> argparse.ArgumentParser:
    """A parser for these sub-commands; only their files are imported."""
    parser = argparse.ArgumentParser(
        prog="tapescope",
        description="Shows the graph PyTorch really built, at every training step. Without a command, the app opens.",
    )
    commands = parser.add_subparsers(dest="command", metavar="{" + ",".join(known) + "}")
    for module in map(load, modules.values()):
        command = commands.add_parser(module.NAME, help=module.HELP, description=module.HELP)
        module.configure(command)
        command.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
