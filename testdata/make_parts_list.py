#!/usr/bin/env python3
"""Writes parts-list.csv: 10,000 rows of LEGO parts, 200 of which an import must reject. The same seed, the same file."""

import csv
import io
import pathlib
import random

ROWS = 10_000
SEED = 4007

BRICKS = """3001 2 x 4|3002 2 x 3|3003 2 x 2|3004 1 x 2|3005 1 x 1|3006 2 x 10|3007 2 x 8|3008 1 x 8|3009 1 x 6|3010 1 x 4
2456 2 x 6|3622 1 x 3|6111 1 x 10|6112 1 x 12|2465 1 x 16|2357 2 x 2 Corner|3062b Round 1 x 1 Open Stud|3941 Round 2 x 2"""
PLATES = """3020 2 x 4|3021 2 x 3|3022 2 x 2|3023 1 x 2|3024 1 x 1|3031 4 x 4|3032 4 x 6|3033 6 x 10|3034 2 x 8|3035 4 x 8
3036 6 x 8|3028 6 x 12|3029 4 x 12|3030 4 x 10|3460 1 x 8|3623 1 x 3|3666 1 x 6|3710 1 x 4|3795 2 x 6|3832 2 x 10|3958 6 x 6
4477 1 x 10|2420 2 x 2 Corner|60479 1 x 12|91988 2 x 14|41539 8 x 8|92438 8 x 16|3027 6 x 16|4073 Round 1 x 1|4032a Round 2 x 2"""
TILES = """3070b 1 x 1|3069b 1 x 2|63864 1 x 3|2431 1 x 4|6636 1 x 6|4162 1 x 8|3068b 2 x 2|87079 2 x 4|26603 2 x 3|69729 2 x 6
98138 Round 1 x 1|14769 Round 2 x 2|27925 Round Corner 2 x 2|25269 Quarter Round 1 x 1|24246 Half Round 1 x 1"""
SLOPES = """3040b 45 2 x 1|3039 45 2 x 2|3038 45 2 x 3|3037 45 2 x 4|3298 33 3 x 2|3297 33 3 x 4|54200 30 1 x 1 x 2/3
85984 30 1 x 2 x 2/3|60481 65 2 x 1 x 2|3678b 65 2 x 2 x 2|4460b 75 2 x 1 x 3|3684 75 2 x 2 x 3|15571 45 2 x 1 Triple
11477 Curved 2 x 1|15068 Curved 2 x 2|50950 Curved 3 x 1|61678 Curved 4 x 1|93606 Curved 4 x 2|3665 Inverted 45 2 x 1"""
TECHNIC = """2780 Pin with Friction Ridges Lengthwise|3673 Pin without Friction Ridges|6558 Pin 3L with Friction Ridges
3705 Axle 4L|32062 Axle 2L Notched|4519 Axle 3L|32073 Axle 5L|3706 Axle 6L|44294 Axle 7L|3707 Axle 8L|3700 Brick 1 x 2 with Hole
3701 Brick 1 x 4 with Holes|3894 Brick 1 x 6 with Holes|3702 Brick 1 x 8 with Holes|3703 Brick 1 x 16 with Holes
32523 Liftarm Thick 1 x 3|32316 Liftarm Thick 1 x 5|32524 Liftarm Thick 1 x 7|40490 Liftarm Thick 1 x 9|32525 Liftarm Thick 1 x 11
41239 Liftarm Thick 1 x 13|32278 Liftarm Thick 1 x 15|3647 Gear 8 Tooth|4019 Gear 16 Tooth|3648b Gear 24 Tooth|3649 Gear 40 Tooth
6589 Gear 12 Tooth Bevel|32270 Gear 12 Tooth Double Bevel|3713 Bush|32123a Bush 1/2 Smooth|43093 Axle 1L with Pin 1L"""
SPECIAL = """87087 Brick, Modified 1 x 1 with Stud on Side|4070 Brick, Modified 1 x 1 with Headlight
47905 Brick, Modified 1 x 1 with Studs on Two Sides, Opposite|11211 Brick, Modified 1 x 2 with Studs on Side
2877 Brick, Modified 1 x 2 with Grille (Fluted Profile)|98283 Brick, Modified 1 x 2 with Masonry Profile
15573 Plate, Modified 1 x 2 with 1 Stud (Jumper)|87580 Plate, Modified 2 x 2 with 1 Stud, Jumper|4085d Plate, Modified 1 x 1 with Clip
2412b Tile, Modified 1 x 2 Grille with Bottom Groove|99207 Bracket 1 x 2 - 2 x 2 Inverted|44728 Bracket 1 x 2 - 2 x 2
4599b Tap 1 x 1 without Hole in Nozzle End|30374 Bar 4L (Lightsaber Blade / Wand)|48336 Plate, Modified 1 x 2 with Bar Handle
3633 Fence 1 x 4 x 1|60592 Window 1 x 2 x 2 Flat Front|60596 Door Frame 1 x 4 x 6|60616 Door 1 x 4 x 6 with Stud Handle
3815 Hips and Legs, Plain|973 Torso, Plain|3626c Minifigure Head, Plain|3901 Minifigure Hair Male|2446 Minifigure Helmet, Motorcycle
6141 Plate, Round 1 x 1 with Solid Stud|30136 Brick, Modified 1 x 2 Log|6091 Brick, Curved 2 x 1 x 1 1/3"""

# Colour and weight: what is common in real sets is common here.
COLORS = """Black 16|White 14|Light Bluish Gray 14|Dark Bluish Gray 12|Red 9|Reddish Brown 8|Tan 7|Blue 6|Yellow 6|Green 4|Dark Tan 3
Dark Red 3|Dark Blue 3|Dark Green 2|Dark Brown 2|Orange 3|Lime 2|Sand Green 2|Sand Blue 1|Medium Azure 2|Dark Azure 2|Magenta 1
Bright Pink 1|Lavender 1|Medium Lavender 1|Dark Purple 1|Olive Green 1|Bright Light Orange 3|Bright Light Yellow 1|Bright Green 2
Nougat 1|Medium Nougat 2|Light Aqua 1|Coral 1|Pearl Gold 2|Flat Silver 2|Metallic Silver 1|Trans-Clear 5|Trans-Red 2|Trans-Yellow 1
Trans-Light Blue 2|Trans-Neon Green 1|Trans-Orange 1|Trans-Black 1"""

NOTES = [
    "", "", "", "", "", "", "", "", "", "", "", "", "spare", "bag 3", "bag 7", "sticker applied", "replace if cracked",
    "from set 10294", "from set 21318, opened", 'printed "POLICE"', 'label says 4" x 2"', "check colour\nagainst the photo",
    "left drawer,\ntop row", "café roof", "für das Dach", "substitute: 3004 + 3023", "=2 per window",
]


def entries(text):
    return [tuple(e.split(" ", 1)) for line in text.splitlines() for e in line.split("|")]


def catalogue():
    """Returns (part, name, category) of every mould."""
    out = []
    for category, prefix, text in [
        ("Bricks", "Brick ", BRICKS), ("Plates", "Plate ", PLATES), ("Tiles", "Tile ", TILES), ("Slopes", "Slope ", SLOPES),
        ("Technic", "Technic, ", TECHNIC), ("Special", "", SPECIAL),
    ]:
        out += [(part, prefix + name, category) for part, name in entries(text)]
    return out


def quantity(rng):
    """Most parts are needed a few times, some by the hundred."""
    return min(5000, max(1, round(rng.lognormvariate(1.2, 1.25))))


def good_row(rng, moulds, colors, weights):
    part, name, category = rng.choice(moulds)
    if category in ("Tiles", "Special") and rng.random() < 0.12:
        part, name = f"{part}pr{rng.randrange(1, 400):04d}", name + rng.choice([' with "Exit" Print', " with Gauge Print", " with Print"])
    color = rng.choices(colors, weights)[0]
    count = str(quantity(rng))
    if rng.random() < 0.01:
        part, count = part + " ", " " + count  # as people type
    return [part, color, count, name, category, rng.choice(NOTES)]


def with_field(row, place, value):
    return row[:place] + [value] + row[place + 1:]


# What is wrong with the rejected rows: how often, and what it makes of a good row.
FAULTS = [
    (25, lambda rng, r: with_field(r, 0, rng.choice(["", "  "]))),
    (30, lambda rng, r: with_field(r, 1, "")),
    (25, lambda rng, r: with_field(r, 2, "")),
    (20, lambda rng, r: with_field(r, 2, "0")),
    (10, lambda rng, r: with_field(r, 2, "-" + r[2].strip())),
    (15, lambda rng, r: with_field(r, 2, r[2].strip() + rng.choice([".5", ".000", ",5"]))),
    (15, lambda rng, r: with_field(r, 2, rng.choice(["many", "n/a", "?", "4x", "1e2", "½"]))),
    (10, lambda rng, r: with_field(r, 2, rng.choice(["1000001", "99999999", "18446744073709551617"]))),
    (10, lambda rng, r: with_field(r, 2, rng.choice(["1,00", "1.000", "2'5"]))),
    (15, lambda rng, r: r[:rng.choice([1, 2, 1, 2])]),
    (15, lambda rng, r: r + rng.choice([["y"], ["x"], ["", "z"]])),
    (10, lambda rng, r: with_field(r, 3, "T\udcfcrrahmen, wei\udcdf")),  # Latin-1
]


def main():
    rng = random.Random(SEED)
    moulds = catalogue()
    palette = [e.rsplit(" ", 1) for line in COLORS.splitlines() for e in line.split("|")]
    colors, weights = [c for c, _ in palette], [int(w) for _, w in palette]
    rows = [good_row(rng, moulds, colors, weights) for _ in range(ROWS)]
    faults = [fault for count, fault in FAULTS for _ in range(count)]
    for place, fault in zip(rng.sample(range(ROWS), len(faults)), faults):
        rows[place] = fault(rng, rows[place])
    out = io.StringIO(newline="")
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["part", "color", "quantity", "description", "category", "notes"])
    for row in rows:
        table.writerow(row)
        if rng.random() < 0.001:
            out.write("\n")
    path = pathlib.Path(__file__).with_name("parts-list.csv")
    path.write_bytes(out.getvalue().encode("utf-8", "surrogateescape"))


if __name__ == "__main__":
    main()
