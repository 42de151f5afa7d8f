"""`kaukoluenta <room> <verb>` runs the room's own command; no room is imported before it is asked for."""

from __future__ import annotations

import runpy
import sys

ROOMS = {
    "demo": ("simulator", "a small town, all real parts, one command"),
    "gateway": ("gateway", "poll meters, keep readings, publish them"),
    "collector": ("collector", "receive, check and store readings"),
    "registry": ("registry", "customers, delivery points, contracts, installations"),
    "billing": ("billing", "period totals and extracts"),
    "dashboards": ("dashboards", "pages for plant operators"),
}


def main() -> None:
    """Entry point of the `kaukoluenta` command. Exit 2 on an unknown room."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        from kaukoluenta import __version__

        sys.stdout.write(f"kaukoluenta {__version__}\n")
        return
    if arguments[:1] in (["-h"], ["--help"]):
        sys.stdout.write(_rooms())
        return
    if not arguments or arguments[0] not in ROOMS:
        sys.stderr.write(_rooms())
        sys.exit(2)
    room, _ = ROOMS[arguments[0]]
    if room == arguments[0]:
        sys.argv = [f"kaukoluenta {room}", *arguments[1:]]
    else:
        sys.argv = ["kaukoluenta", *arguments]
    runpy.run_module(room, run_name="__main__", alter_sys=False)


def _rooms() -> str:
    lines = [f"  {name:<11} {what}" for name, (_, what) in ROOMS.items()]
    return "usage: kaukoluenta ROOM VERB [...]\n\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
