"""One `ok` or `not ok` line a check, as every runner of this folder prints them."""
import os
import time
import traceback

BOOTSTRAP = os.environ.get("BOOTSTRAP", "127.0.0.1:9092")
NONCE = f"{os.getpid()}-{int(time.time() * 1000)}"
failures = 0


def check(body):
    """Runs a check at once; its docstring is its name."""
    global failures
    name = body.__doc__.strip().splitlines()[0]
    try:
        body()
        print(f"ok {name}", flush=True)
    except Exception as error:  # the check failed, whatever it was
        failures += 1
        text = str(error).splitlines()
        print(f"not ok {name}: {type(error).__name__} {text[0] if text else ''}", flush=True)
        if os.environ.get("VERBOSE"):
            traceback.print_exc()
    return body


def topic(name):
    return f"{name}-{NONCE}"


def eventually(what, test, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = test()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"never within {seconds} s: {what}")
