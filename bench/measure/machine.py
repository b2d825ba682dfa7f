"""What the kernel says of processes and of the machine. Seconds and bytes."""
import os
import pathlib
import platform
import time

TICKS = os.sysconf("SC_CLK_TCK")


def cpu(pid):
    """User plus system seconds of a process, its threads and its ended children."""
    rest = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(rest[11]) + int(rest[12])) / TICKS


def status(pid):
    """Resident memory now and at its peak, anonymous memory (bytes), open files, threads."""
    fields = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    kib = lambda name: int(fields.get(name, "0 kB").split()[0]) * 1024
    return {"rss": kib("VmRSS"), "peak": kib("VmHWM"), "anonymous": kib("RssAnon"),
            "files": len(os.listdir(f"/proc/{pid}/fd")), "threads": int(fields["Threads"])}


def whole():
    """Busy, idle and stolen seconds of all processors."""
    n = [int(x) / TICKS for x in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return {"busy": n[0] + n[1] + n[2] + n[5] + n[6], "idle": n[3] + n[4], "stolen": n[7]}


def own_cpu():
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class Window:
    """What brokers, the clients (our children) and the rest of the machine use between two moments."""

    def __init__(self, *pids):
        self.pids, self.at = pids, time.monotonic()
        self.broker, self.client, self.machine = sum(map(cpu, pids)), own_cpu(), whole()

    def end(self):
        seconds = time.monotonic() - self.at
        broker, client = sum(map(cpu, self.pids)) - self.broker, own_cpu() - self.client
        machine = {key: value - self.machine[key] for key, value in whole().items()}
        every = max(sum(machine.values()), 1e-9)
        return {"seconds": seconds, "broker_cpu_s": broker, "client_cpu_s": client,
                "system_cpu_s": max(machine["busy"] - client, 0),
                "foreign_share": max(machine["busy"] - client - broker, 0) / every,
                "stolen_share": machine["stolen"] / every}


def wait_for_idle(limit=20.0, busy_max=0.15):
    """Waits until little runs for a second; gives up after `limit` seconds and says how busy it still was."""
    begin = time.monotonic()
    while True:
        before = whole()
        time.sleep(1.0)
        after = whole()
        spent = {key: after[key] - before[key] for key in after}
        busy = 1 - spent["idle"] / max(sum(spent.values()), 1e-9)
        if busy <= busy_max or time.monotonic() - begin > limit:
            return busy


def prefault(folder, gigabytes):
    """Touches memory for the page cache once: a guest's first touch of a page costs ten times its second."""
    path = pathlib.Path(folder) / "prefault"
    block = os.urandom(1 << 20) * 8
    with open(path, "wb") as file:
        for _ in range(int(gigabytes * (1 << 30)) // len(block)):
            file.write(block)
    path.unlink()


def describe():
    model = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    memory = int(open("/proc/meminfo").readline().split()[1]) / 1048576
    return {"cpu": model[0] if model else platform.machine(), "processors": os.cpu_count(), "memory_gib": round(memory, 1),
            "kernel": platform.release(), "load_at_start": os.getloadavg()}
