"""Plots as SVG: grouped bars and curves over percentiles. No library, no script, readable on light and dark ground."""
import math
from xml.sax.saxutils import escape

COLOURS = {"K": "#8a8f98", "W": "#1f77b4", "N": "#2ca25f"}


def head(width, height, title):
    return [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            f'<text x="12" y="20" font-size="14" font-weight="bold">{escape(title)}</text>']


def legend(out, names, x, y):
    for key, name in names.items():
        out.append(f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{COLOURS[key]}"/><text x="{x + 17}" y="{y}">{escape(name)}</text>')
        x += 30 + 7 * len(name)


def bars(title, groups, names):
    """`groups`: (label, {key: (median, least, most)}); one scale for all; whiskers are the range of the rounds."""
    left, width, row = 300, 820, 16
    tallest = max((most for _, values in groups for _, _, most in values.values()), default=1) or 1
    out = head(width, 0, title)
    legend(out, names, 12, 42)
    y = 62
    for label, values in groups:
        out.append(f'<text x="{left - 8}" y="{y + row * len(values) / 2 + 4:.0f}" text-anchor="end">{escape(label)}</text>')
        for key, (median, least, most) in values.items():
            scale = (width - left - 90) / tallest
            out.append(f'<rect x="{left}" y="{y}" width="{median * scale:.1f}" height="{row - 3}" fill="{COLOURS[key]}"/>')
            out.append(f'<line x1="{left + least * scale:.1f}" x2="{left + most * scale:.1f}" y1="{y + 6}" y2="{y + 6}" stroke="#222222"/>')
            out.append(f'<text x="{left + most * scale + 6:.1f}" y="{y + 11}">{median:.3g}</text>')
            y += row
        y += 10
    out[0] = out[0].replace(f'viewBox="0 0 {width} 0"', f'viewBox="0 0 {width} {y + 8}"')
    out[1] = out[1].replace('height="0"', f'height="{y + 8}"')
    return "\n".join(out + ["</svg>"]) + "\n"


def curves(title, series, names):
    """`series`: {key: [(percentile, ms)]}; the x axis counts nines, the y axis is logarithmic."""
    width, height, left, right, top, bottom = 720, 380, 70, 20, 60, 40
    place = lambda percentile: -math.log10(1 - min(percentile, 99.99) / 100)
    points = [ms for curve in series.values() for _, ms in curve if ms > 0]
    low, high = math.floor(math.log10(min(points, default=0.1))), math.ceil(math.log10(max(points, default=10)))
    high = max(high, low + 1)
    x = lambda percentile: left + place(percentile) / 4 * (width - left - right)
    y = lambda ms: height - bottom - (math.log10(max(ms, 10 ** low)) - low) / (high - low) * (height - top - bottom)
    out = head(width, height, title)
    legend(out, names, 12, 42)
    for power in range(low, high + 1):
        at = y(10 ** power)
        out.append(f'<line x1="{left}" x2="{width - right}" y1="{at:.1f}" y2="{at:.1f}" stroke="#dddddd"/>'
                   f'<text x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">{10 ** power:g} ms</text>')
    for percentile in (0, 50, 90, 99, 99.9, 99.99):
        at = x(percentile)
        out.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{height - bottom}" stroke="#eeeeee"/>'
                   f'<text x="{at:.1f}" y="{height - bottom + 18}" text-anchor="middle">{percentile:g} %</text>')
    for key, curve in series.items():
        path = " ".join(f"{x(percentile):.1f},{y(ms):.1f}" for percentile, ms in curve if percentile < 100)
        out.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[key]}" stroke-width="2"/>')
    return "\n".join(out + ["</svg>"]) + "\n"
