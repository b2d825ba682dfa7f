"""From the raw data to the page: medians, ranges, the goals table, the plots. Invents no number."""
import pathlib
import statistics

import goals
import svg

NAMES = {"K": "Apache Kafka", "W": "Ottla, flush=wal (durable)", "N": "Ottla, flush=none"}
FOREIGN_MAX = 0.20


def samples(data, cell, variant, key):
    found = [sample["values"].get(key) for sample in data["samples"]
             if sample["cell"] == cell and sample["variant"] == variant and "values" in sample]
    return [value for value in found if isinstance(value, (int, float))]


def median(data, cell, variant, key):
    found = samples(data, cell, variant, key)
    return statistics.median(found) if found else None


def three(data, cell, variant, key):
    found = samples(data, cell, variant, key)
    return (statistics.median(found), min(found), max(found)) if found else None


def shown(row, found):
    if not found:
        return "-"
    middle, least, most = (row.form.format(value) for value in found)
    return middle if least == most else f"{middle} ({least}-{most})"


def goal_rows(data):
    """(row, {variant: (median, least, most) or None}, met or None, ratio or None)."""
    for row in goals.ROWS:
        found = {variant: three(data, row.cell, variant, row.key) for variant in NAMES}
        k, w, n = (found[variant][0] if found[variant] else None for variant in "KWN")
        met = row.met(k, w, n)
        # Of next to nothing there is no quotient.
        ratio = k / w if k and w and w > 0 else None
        yield row, found, met, ratio


def failures(data):
    return [sample for sample in data["samples"] if "failed" in sample]


def disturbed(data):
    return [sample for sample in data["samples"] if "values" in sample and max(
        sample["values"].get("foreign_share") or 0, sample["values"].get("stolen_share") or 0) > FOREIGN_MAX]


def page(data, stem):
    machine = data["machine"]
    out = [f"# Ottla beside Apache Kafka {data['kafka_version']}, {data['date']}", "",
           f"One run on one machine: {machine['processors']} processors ({machine['cpu']}), {machine['memory_gib']} GiB, kernel "
           f"{machine['kernel']}, {data['filesystem']}; {data['versions']}. {data['rounds']} rounds a cell, the order turned round each time; "
           "medians, with the least and the most of the rounds in brackets. How it is measured: `docs/benchmarks/README.md`. Raw data: "
           f"[{stem}.json]({stem}.json). Command:", "", "```", data["command"], "```", ""]
    for note in data["notes"]:
        out.append(f"- {note}")
    out += ["", "## Goals", "", "| measure | Apache Kafka | Ottla, flush=wal | Ottla, flush=none | Kafka / durable | goal | |",
            "|--|--:|--:|--:|--:|--|--|"]
    counts = {True: 0, False: 0, None: 0}
    for row, found, met, ratio in goal_rows(data):
        counts[met] += 1
        word = {True: "met", False: "**missed**", None: "not measured"}[met]
        out.append(f"| {row.measure} | {shown(row, found['K'])} | {shown(row, found['W'])} | {shown(row, found['N'])} | "
                   f"{'-' if ratio is None else format(ratio, '.1f')} | {row.goal} | {word} |")
    out += ["", f"{counts[True]} met, {counts[False]} missed, {counts[None]} not measured.", ""]
    out += ["## Where Ottla is behind Kafka", ""]
    behind = []
    for row, found, _, ratio in goal_rows(data):
        if ratio is not None and (ratio > 1 if row.key == "mb_per_s" else ratio < 1):
            behind.append(f"- {row.measure}: {shown(row, found['W'])} durable against {shown(row, found['K'])}")
    out += behind or ["- in no row of this run"]
    out += ["", "## All cells", "", "| cell | broker | CPU-s/GB | us/request | MB/s | system CPU-s/GB | client CPU-s/GB | foreign CPU % |",
            "|--|--|--:|--:|--:|--:|--:|--:|"]
    for cell in data["cells"]:
        for variant, name in NAMES.items():
            if not (samples(data, cell, variant, "cpu_s_per_gb") and samples(data, cell, variant, "mb_per_s")):
                continue
            at = lambda key, form, scale=1: "-" if median(data, cell, variant, key) is None else form.format(median(data, cell, variant, key) * scale)
            out.append(f"| {cell} | {name} | {at('cpu_s_per_gb', '{:.3f}')} | {at('us_per_request', '{:.1f}')} | {at('mb_per_s', '{:.0f}')} | "
                       f"{at('system_cpu_s_per_gb', '{:.3f}')} | {at('client_cpu_s_per_gb', '{:.3f}')} | {at('foreign_share', '{:.0f}', 100)} |")
    out += ["", "| cell | broker | p50 ms | p99 ms | p99.9 ms | most ms | broker CPU us/record | client late, p99 ms |", "|--|--|--:|--:|--:|--:|--:|--:|"]
    for cell in data["cells"]:
        for variant, name in NAMES.items():
            if samples(data, cell, variant, "p50_ms"):
                values = [median(data, cell, variant, key) for key in
                          ("p50_ms", "p99_ms", "p999_ms", "max_ms", "cpu_us_per_record", "client_late_p99_ms")]
                out.append(f"| {cell} | {name} | " + " | ".join("-" if v is None else f"{v:.3f}" for v in values) + " |")
    for cell in ("recovery", "partitions"):
        rows = [s for s in data["samples"] if s["cell"] == cell and "values" in s]
        if rows:
            keys = list(rows[0]["values"])
            out += ["", f"| {cell} | " + " | ".join(keys) + " |", "|--|" + "--:|" * len(keys)]
            out += [f"| {NAMES[s['variant']]} | " + " | ".join(f"{s['values'][k]:.4g}" for k in keys) + " |" for s in rows]
    out += ["", "## What disturbed it", ""]
    for sample in failures(data):
        out.append(f"- {sample['cell']} of {NAMES[sample['variant']]}, round {sample['round']}, failed: {sample['failed']}")
    busy = disturbed(data)
    if busy:
        out.append(f"- more than {FOREIGN_MAX:.0%} of the machine went to neither broker nor client in {len(busy)} samples: "
                   + ", ".join(sorted({f"{s['cell']} {s['variant']}" for s in busy})))
    if out[-1] == "":
        out.append("- nothing")
    out += ["", "## Plots", "", f"![CPU a GB]({stem}-cpu.svg)", ""]
    out += [f"![latency, {cell}]({stem}-{cell.replace('_', '-')}.svg)\n" for cell in latency_cells(data)]
    return "\n".join(out).rstrip() + "\n"


def latency_cells(data):
    return [cell for cell in data["cells"] if any(s["cell"] == cell and "curve" in s.get("values", {}) for s in data["samples"])]


def plots(data, stem):
    """File name and SVG of each plot."""
    groups = []
    for cell in data["cells"]:
        values = {variant: three(data, cell, variant, "cpu_s_per_gb") for variant in NAMES}
        values = {variant: found for variant, found in values.items() if found}
        if values and cell != "lean_one":
            groups.append((cell, values))
    yield f"{stem}-cpu.svg", svg.bars("CPU of the broker, seconds a GB", groups, NAMES)
    for cell in latency_cells(data):
        series = {}
        for variant in NAMES:
            curves = [s["values"]["curve"] for s in data["samples"] if s["cell"] == cell and s["variant"] == variant and "values" in s]
            if curves:
                series[variant] = [(point[0], statistics.median(c[i][1] for c in curves) / 1e3) for i, point in enumerate(curves[0])]
        yield f"{stem}-{cell.replace('_', '-')}.svg", svg.curves(f"{cell}: milliseconds by percentile, median of the rounds", series, NAMES)


def write(data, file):
    """Writes page and plots beside the JSON file."""
    file = pathlib.Path(file)
    stem = file.stem
    file.with_suffix(".md").write_text(page(data, stem))
    for name, text in plots(data, stem):
        (file.parent / name).write_text(text)


def terminal(data):
    """The goals as a table for people."""
    lines = [f"{'measure':<66} {'Kafka':>10} {'wal':>10} {'none':>10} {'ratio':>7}  goal"]
    for row, found, met, ratio in goal_rows(data):
        one = lambda v: row.form.format(found[v][0]) if found[v] else "-"
        word = {True: "met", False: "MISSED", None: "-"}[met]
        lines.append(f"{row.measure:<66} {one('K'):>10} {one('W'):>10} {one('N'):>10} "
                     f"{'-' if ratio is None else format(ratio, '.1f'):>7}  {row.goal}: {word}")
    return "\n".join(lines)
