"""librdkafka's own rdkafka_performance, built from the sources that the crate rdkafka-sys carries."""
import json
import pathlib
import shutil
import subprocess

CRATE = "4.10.0+2.12.1"
VERSION = CRATE.split("+")[1]


def build(root):
    """The path of the program; builds it on first use."""
    home = pathlib.Path(root) / "target" / f"librdkafka-{VERSION}"
    program = home / "source/examples/rdkafka_performance"
    if program.exists():
        return str(program)
    home.mkdir(parents=True, exist_ok=True)
    (home / "src").mkdir(exist_ok=True)
    (home / "src/lib.rs").write_text("")
    (home / "Cargo.toml").write_text('[package]\nname = "fetch-librdkafka"\nversion = "0.0.0"\nedition = "2024"\n\n[workspace]\n\n'
                                     f'[dependencies]\nrdkafka-sys = {{ version = "={CRATE.split("+")[0]}", default-features = false }}\n')
    done = subprocess.run(["cargo", "metadata", "--format-version", "1", "--manifest-path", str(home / "Cargo.toml")],
                          capture_output=True, text=True, check=True)
    package = next(p for p in json.loads(done.stdout)["packages"] if p["name"] == "rdkafka-sys")
    source = home / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(pathlib.Path(package["manifest_path"]).parent / "librdkafka", source)
    subprocess.run(["chmod", "-R", "u+w", str(source)], check=True)
    with open(home / "build.log", "w") as log:
        for words in (["./configure", "--disable-ssl", "--disable-gssapi", "--disable-curl", "--enable-static"],
                      ["make", "-C", "src", "-j2"], ["make", "-C", "examples", "rdkafka_performance"]):
            if subprocess.run(words, cwd=source, stdout=log, stderr=log).returncode:
                raise RuntimeError(f"cannot build librdkafka: see {home / 'build.log'}")
    return str(program)
