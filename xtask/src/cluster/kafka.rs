//! Apache Kafka as a node: its jars from Maven Central, its storage tool, its command.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::source;

/// What its log says; at INFO a controller is talkative.
const LOGGING: &str = "appender.c.type=Console
appender.c.name=c
appender.c.layout.type=PatternLayout
appender.c.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=INFO
rootLogger.appenderRef.c.ref=c
";
/// Its storage tool was moved between modules.
const STORAGE_TOOLS: [&str; 2] = ["kafka.tools.StorageTool", "org.apache.kafka.tools.StorageTool"];

/// What Ottla does not have yet, at the level that says so: a broker that lacks a finalized feature is refused.
const ABSENT: [&str; 3] = ["share.version=0", "streams.version=0", "transaction.version=0"];

/// The folder of a version's jars; fetched by name on first use.
pub(crate) fn jars(version: &str) -> Result<PathBuf, String> {
    let home = source::root().join("target").join(format!("kafka-{version}"));
    let libs = home.join("libs");
    if libs.is_dir() {
        return Ok(libs);
    }
    std::fs::create_dir_all(&home).map_err(|error| error.to_string())?;
    let dependency = |group: &str, name: &str, version: &str| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>\
             <version>{version}</version></dependency>"
        )
    };
    let pom = format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>ottla</groupId><artifactId>node</artifactId><version>1</version>\
         <packaging>pom</packaging><dependencies>{}{}</dependencies></project>",
        dependency("org.apache.kafka", "kafka_2.13", version),
        dependency("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.4"),
    );
    let pom_file = home.join("pom.xml");
    std::fs::write(&pom_file, pom).map_err(|error| error.to_string())?;
    let part = home.join(format!("part-{}", std::process::id()));
    let status = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(&pom_file)
        .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", part.display()))
        .status()
        .map_err(|error| format!("mvn: {error}"))?;
    if !status.success() {
        return Err(format!("Kafka {version} cannot be fetched: {status}"));
    }
    std::fs::rename(&part, &libs).map_err(|error| error.to_string())?;
    Ok(libs)
}

/// The words after `java` that run a class of Kafka's.
fn words(libs: &Path, folder: &Path) -> Result<Vec<String>, String> {
    let logging = folder.join("log4j2.properties");
    std::fs::write(&logging, LOGGING).map_err(|error| error.to_string())?;
    Ok(vec![
        "-Xmx384m".to_string(),
        "-XX:+UseSerialGC".to_string(),
        "-XX:TieredStopAtLevel=1".to_string(),
        format!("-Dlog4j2.configurationFile={}", logging.display()),
        "-cp".to_string(),
        format!("{}/*", libs.display()),
    ])
}

/// Makes the node's data directory, which Kafka does not do by itself.
pub(crate) fn format(
    libs: &Path,
    folder: &Path,
    properties: &Path,
    cluster_id: &str,
    release: &str,
) -> Result<(), String> {
    let mut said = String::new();
    for tool in STORAGE_TOOLS {
        let output = Command::new("java")
            .args(words(libs, folder)?)
            .args([tool, "format", "-t", cluster_id, "--release-version", release])
            .args(ABSENT.iter().flat_map(|feature| ["--feature", feature]))
            .arg("-c")
            .arg(properties)
            .output()
            .map_err(|error| format!("java: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        said.push_str(&String::from_utf8_lossy(&output.stderr));
        said.push_str(&String::from_utf8_lossy(&output.stdout));
    }
    Err(format!("Kafka's storage tool: {said}"))
}

/// The words of the node's command, after `java`.
pub(crate) fn server(libs: &Path, folder: &Path, properties: &Path) -> Result<Vec<String>, String> {
    let mut words = words(libs, folder)?;
    words.push("kafka.Kafka".to_string());
    words.push(properties.display().to_string());
    Ok(words)
}
