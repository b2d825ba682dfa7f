"""Ottla and Apache Kafka as processes: started on a folder, killed or stopped by their own id."""
import os
import pathlib
import shutil
import signal
import subprocess
import time

import machine
import raw

KAFKA_VERSION = "4.4.0"
# What Kafka's own start script gives the JVM, but for logs and JMX.
JVM = ["-Xms1G", "-Xmx1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
       "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true"]


class Broker:
    """One broker on one folder and port."""

    def __init__(self, name, folder, port):
        self.name, self.folder, self.port = name, pathlib.Path(folder), port
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def launch(self):
        """Starts the process and returns at once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "out.log", "ab") as out:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            start_new_session=True, env=self.environment())
        return self

    def environment(self):
        return dict(os.environ)

    def start(self):
        self.prepare()
        self.launch()
        self.connect().close()
        return self

    def connect(self, limit=300.0):
        sock = raw.connect(self.port, limit, self.alive, pause=0.005)
        raw.call(sock, 18, 0, b"")
        return sock

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()

    def stop(self):
        """Asks and waits; the seconds it took."""
        begin = time.monotonic()
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(90)
            except subprocess.TimeoutExpired:
                self.kill()
        return time.monotonic() - begin

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def held(self):
        return machine.status(self.pid)


class Ottla(Broker):
    def __init__(self, name, folder, port, binary, flush):
        super().__init__(name, folder, port)
        self.binary, self.flush = binary, flush

    def prepare(self):
        self.folder.mkdir(parents=True, exist_ok=True)

    def command(self):
        return [self.binary, "server", "--listen", self.address, "--data", str(self.folder / "data"),
                "--set", f"ottla.flush={self.flush}"]

    def environment(self):
        return {key: value for key, value in os.environ.items() if not key.startswith(("KAFKA_", "OTTLA_"))}


class Kafka(Broker):
    def __init__(self, name, folder, port, libs):
        super().__init__(name, folder, port)
        self.libs = libs

    def prepare(self):
        """Formats the folder, which is not part of any start that is measured."""
        if (self.folder / "server.properties").exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "server.properties").write_text("".join(f"{k}={v}\n" for k, v in self.settings().items()))
        (self.folder / "log4j2.properties").write_text(
            "appender.c.type=Console\nappender.c.name=c\nappender.c.layout.type=PatternLayout\n"
            "appender.c.layout.pattern=[%d] %p %m (%c)%n\nrootLogger.level=WARN\nrootLogger.appenderRef.c.ref=c\n")
        done = subprocess.run(self.java(storage_tool(self.libs), "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c",
                                        str(self.folder / "server.properties")), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"Kafka's format failed: {done.stdout}{done.stderr}")

    def settings(self):
        """A node by itself."""
        controller = self.port + 1
        return {
            "node.id": 1, "process.roles": "broker,controller",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER", "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": self.folder / "data", "offsets.topic.replication.factor": 1,
            "transaction.state.log.replication.factor": 1, "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.replication.factor": 1, "share.coordinator.state.topic.min.isr": 1,
        }

    def java(self, *rest):
        return ["java", *JVM, f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}", "-cp", f"{self.libs}/*", *rest]

    def command(self):
        return self.java("kafka.Kafka", str(self.folder / "server.properties"))


def storage_tool(libs):
    """The class of the storage tool, which moved between modules."""
    import zipfile
    for jar in sorted(pathlib.Path(libs).glob("kafka*.jar")):
        for name in zipfile.ZipFile(jar).namelist():
            if name.endswith("/tools/StorageTool.class"):
                return name[:-6].replace("/", ".")
    raise RuntimeError(f"no StorageTool in {libs}")


def kafka_libs(given, target):
    """The folder of Kafka's jars: the one given, or fetched by name from Maven Central."""
    if given:
        given = pathlib.Path(given)
        return given / "libs" if (given / "libs").is_dir() else given
    home = pathlib.Path(target) / f"kafka-{KAFKA_VERSION}"
    libs = home / "libs"
    if libs.is_dir():
        return libs
    home.mkdir(parents=True, exist_ok=True)
    (home / "pom.xml").write_text(f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>bench</groupId><artifactId>bench</artifactId><version>1</version><packaging>pom</packaging><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA_VERSION}</version></dependency>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.4</version></dependency>
</dependencies></project>
""")
    part = home / "part"
    shutil.rmtree(part, ignore_errors=True)
    subprocess.run(["mvn", "-q", "-B", "-f", str(home / "pom.xml"), "dependency:copy-dependencies",
                    f"-DoutputDirectory={part}", "-DincludeScope=runtime"], check=True)
    part.rename(libs)
    return libs
