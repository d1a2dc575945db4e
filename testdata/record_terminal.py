#!/usr/bin/env python3
"""Records a command in a terminal and prints the recording as an animated SVG.

    python3 testdata/record_terminal.py go run ./cdkapp/local -rate 60 testdata/parts-list.csv >testdata/terminal.svg

Standard library only. The SVG needs no script: CSS shows one picture after the other, then starts again.
"""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from html import escape

COLUMNS, ROWS = 96, 27
CHARACTER, LINE, MARGIN, BAR = 8.43, 20, 18, 34  # pixels, of a font of 14 pixels
FRAMES_PER_SECOND = 10
LAST_PICTURE = 3.0  # seconds for which the last picture stays


class Screen:
    """The part of a terminal that the command uses: text, carriage return, line feed, erase line."""

    def __init__(self):
        self.lines, self.row, self.column = [""], 0, 0

    def write(self, text):
        for token in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+|.", text):
            if token == "\r":
                self.column = 0
            elif token == "\n":
                self.row, self.column = self.row + 1, 0
                self.lines += [""] * (self.row + 1 - len(self.lines))
            elif re.fullmatch(r"\x1b\[[02]?K", token):
                line = self.lines[self.row]
                self.lines[self.row] = "" if token == "\x1b[2K" else line[: self.column]
            elif not token.startswith("\x1b"):
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[: self.column] + token + line[self.column + len(token) :]
                self.column += len(token)

    def picture(self):
        return tuple(line.rstrip() for line in self.lines[-ROWS:])


def record(command):
    """Runs the command and returns pictures of its screen, each with its time in seconds, and the exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    screen, pictures, started = Screen(), [], None
    screen.write("$ " + " ".join(command) + "\n")
    while True:
        ready, _, _ = select.select([terminal], [], [], 0.05)
        if ready:
            try:
                chunk = os.read(terminal, 65536)
            except OSError:
                break
            if not chunk:
                break
            started = started or time.monotonic()
            screen.write(chunk.decode(errors="replace"))
        at = round((time.monotonic() - (started or time.monotonic())) * FRAMES_PER_SECOND) / FRAMES_PER_SECOND
        if pictures and pictures[-1][0] == at:
            pictures[-1] = (at, screen.picture())
        elif not pictures or pictures[-1][1] != screen.picture():
            pictures.append((at, screen.picture()))
    pictures.append((pictures[-1][0] + 1 / FRAMES_PER_SECOND, screen.picture()))
    return pictures, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def runs(pictures, total):
    """Yields each line of text with its row and the share of the recording in which it stands there."""
    standing = {}
    for at, picture in pictures + [(total, ())]:
        rows = dict(enumerate(picture))
        for row in list(standing):
            text, since = standing[row]
            if rows.get(row, "") != text:
                yield row, text, since / total, at / total
                del standing[row]
        for row, text in rows.items():
            if text and row not in standing:
                standing[row] = (text, at)


def svg(pictures):
    """Returns the recording as an SVG."""
    total = pictures[-1][0] + LAST_PICTURE
    rows = max(len(picture) for _, picture in pictures)
    width, height = COLUMNS * CHARACTER + 2 * MARGIN, rows * LINE + BAR + MARGIN
    style, text = [], []
    for n, (row, line, begin, end) in enumerate(runs(pictures, total)):
        y = BAR + (row + 1) * LINE - 6
        colour = ' fill="#7ee787"' if line.startswith("$ ") else ""
        always = begin == 0 and end >= 1
        if not always:
            keys = f"0%{{opacity:{int(begin == 0)}}}"
            if begin > 0:
                keys += f"{begin:.3%}{{opacity:1}}"
            if end < 1:
                keys += f"{end:.3%}{{opacity:0}}"
            style.append(f"@keyframes k{n}{{{keys}100%{{opacity:{int(end >= 1)}}}}}#l{n}{{animation-name:k{n}}}")
        shown = "" if always else ' class="t"'
        drawn = re.sub("█+", lambda bar: f'<tspan fill="#58a6ff">{bar[0]}</tspan>', escape(line))
        text.append(f'<text id="l{n}" x="{MARGIN}" y="{y}"{shown}{colour}>{drawn}</text>')
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img"
 aria-label="A terminal: the twin imports a parts list and shows its progress">
<style>
text{{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre}}
.t{{animation-duration:{total:.1f}s;animation-iteration-count:infinite;animation-timing-function:step-end}}
{chr(10).join(style)}
@media (prefers-reduced-motion:reduce){{.t{{animation-delay:-{total - 1:.1f}s;animation-play-state:paused}}}}
</style>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
<circle cx="20" cy="18" r="6" fill="#ff5f57"/><circle cx="40" cy="18" r="6" fill="#febc2e"/><circle cx="60" cy="18" r="6" fill="#28c840"/>
<g fill="#e6edf3" xml:space="preserve">
{chr(10).join(text)}
</g>
</svg>"""


def main():
    pictures, code = record(sys.argv[1:])
    if code != 0:
        sys.exit(f"{sys.argv[1]} ended with {code}")
    print(svg(pictures))


if __name__ == "__main__":
    main()
